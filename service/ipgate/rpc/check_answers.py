"""Encoded answers to Envoy, of parts that are remembered as those of `Authorize` are."""

from functools import lru_cache
from typing import Any

from ipgate.authorizer.authorizer import Verdict
from ipgate.domain.decision import Decision
from ipgate.ext_authz.v3 import check_pb2
from ipgate.rpc.answers import prefix
from ipgate.rpc.gateway import ALLOW_LIST, API_KEY, REASON

KEY_MISSING = "KEY_MISSING"
"""The reason of a denial that ipgate need not decide about, in the metadata only."""

_PERMISSION_DENIED, _UNAUTHENTICATED = 7, 16
_REMEMBERED = 8192

_OVERWRITE: Any = check_pb2.HeaderValueOption.APPEND_ACTION_OVERWRITE_IF_EXISTS_OR_ADD
_OK = check_pb2.CheckResponse.OK_RESPONSE_FIELD_NUMBER
_METADATA = check_pb2.CheckResponse.DYNAMIC_METADATA_FIELD_NUMBER
_STATUS_OK = check_pb2.CheckResponse(status=check_pb2.Status()).SerializeToString()

_PHRASES = {401: "Unauthorized", 403: "Forbidden"}


def check_out(verdict: Verdict) -> bytes:
    """Return an encoded CheckResponse: OK with the headers for the upstream, or 403 with a neutral body.

    The reason of a denial is in the metadata only.
    """
    decision, api_key, _, _ = verdict
    name = api_key.encode()
    metadata = _metadata_of(decision)
    if name:
        before, after = _metadata_around(len(name))
        metadata += before + name + after
    if not decision.allowed:
        return _denied(403) + prefix(_METADATA, len(metadata)) + metadata
    before, after = _header_around(len(name))
    headers = _headers_of(decision) + before + name + after
    return b"".join(
        (
            _STATUS_OK,
            prefix(_OK, len(headers)),
            headers,
            prefix(_METADATA, len(metadata)),
            metadata,
        )
    )


@lru_cache
def key_missing_out(status: int, challenge: str) -> bytes:
    """Return the answer to a request without an API key.

    `challenge`: what `WWW-Authenticate` of a 401 asks for.
    """
    response = check_pb2.CheckResponse.FromString(_denied(status))
    if status == 401:
        response.denied_response.headers.append(_header("www-authenticate", challenge))
    response.dynamic_metadata.update({"reason": KEY_MISSING, "report_only": False})
    return response.SerializeToString()


@lru_cache(_REMEMBERED)
def _headers_of(decision: Decision) -> bytes:
    """Return the fields of OkHttpResponse that follow from a decision."""
    headers = [_header(REASON, decision.reason.value)]
    remove = []
    if decision.allow_list:
        headers.append(_header(ALLOW_LIST, decision.allow_list))
    else:
        remove.append(ALLOW_LIST)
    return check_pb2.OkHttpResponse(headers=headers, headers_to_remove=remove).SerializeToString()


@lru_cache(_REMEMBERED)
def _metadata_of(decision: Decision) -> bytes:
    """Return the fields of the metadata that follow from a decision."""
    response = check_pb2.CheckResponse()
    response.dynamic_metadata.update(
        {
            "reason": decision.reason.value,
            "report_only": decision.report_only,
            **({"allow_list": decision.allow_list} if decision.allow_list else {}),
        }
    )
    return response.dynamic_metadata.SerializeToString()


@lru_cache
def _denied(status: int) -> bytes:
    code = _UNAUTHENTICATED if status == 401 else _PERMISSION_DENIED
    return check_pb2.CheckResponse(
        status=check_pb2.Status(code=code),
        denied_response=check_pb2.DeniedHttpResponse(
            status=check_pb2.HttpStatus(code=status),
            headers=[_header("content-type", "application/json")],
            body=f'{{"detail":"{_PHRASES[status]}"}}',
        ),
    ).SerializeToString()


@lru_cache(_REMEMBERED)
def _header_around(length: int) -> tuple[bytes, bytes]:
    """Return what stands before and after a name of an API key in its header."""
    name = "k" * length
    encoded = check_pb2.OkHttpResponse(headers=[_header(API_KEY, name)]).SerializeToString()
    return _around(encoded, name)


@lru_cache(_REMEMBERED)
def _metadata_around(length: int) -> tuple[bytes, bytes]:
    """Return what stands before and after a name of an API key in the metadata."""
    name = "k" * length
    response = check_pb2.CheckResponse()
    response.dynamic_metadata["api_key"] = name
    return _around(response.dynamic_metadata.SerializeToString(), name)


def _around(encoded: bytes, name: str) -> tuple[bytes, bytes]:
    before, _, after = encoded.rpartition(name.encode())
    return before, after


def _header(name: str, value: str) -> check_pb2.HeaderValueOption:
    return check_pb2.HeaderValueOption(
        header=check_pb2.HeaderValue(key=name, value=value), append_action=_OVERWRITE
    )
