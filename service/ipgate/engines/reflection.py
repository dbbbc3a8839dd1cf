"""`grpc.reflection.v1` and `v1alpha`, for callers who have a token."""

from collections.abc import Sequence
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, text_format
from grpc_reflection.v1alpha import reflection, reflection_pb2

from ipgate.authorizer.authentication import Authenticator
from ipgate.rpc.call_info import CallInfo
from ipgate.rpc.pipeline import Method, RequestSizes

MAX_STREAMS = 64
"""Streams that may be open at a time, of each version."""

STREAM_TIMEOUT = 60.0
"""Seconds that such a stream may be open."""

SERVICES = ("grpc.reflection.v1.ServerReflection", reflection.SERVICE_NAME)


def reflecting(services: Sequence[str], authenticator: Authenticator) -> dict[str, Method]:
    """Return the methods by their paths, which describe `services`."""
    _add_version_1()
    servicer = _Servicer((*services, *SERVICES))
    methods = {}
    for service in SERVICES:
        method = Method(
            f"{service}/ServerReflectionInfo",
            authenticator,
            reflection_pb2.ServerReflectionRequest,
            servicer.answer,
            sizes=RequestSizes(),
            is_stream=True,
            max_open=MAX_STREAMS,
            max_duration=STREAM_TIMEOUT,
        )
        methods[f"/{method.name}"] = method
    return methods


class _Servicer:
    """Both versions have the same messages."""

    def __init__(self, services: Sequence[str]) -> None:
        self._library = reflection.ReflectionServicer(services)

    def answer(self, request: Any, _info: CallInfo) -> bytes:
        asked = reflection_pb2.ServerReflectionRequest()
        asked.CopyFrom(request)
        if asked.WhichOneof("message_request") == "file_containing_symbol":
            asked.file_containing_symbol = _service_of(asked.file_containing_symbol)
        (response,) = self._library.ServerReflectionInfo(iter([asked]), None)
        response.original_request.CopyFrom(request)
        return bytes(response.SerializeToString())


def _service_of(symbol: str) -> str:
    """Return the service if a symbol is the name of a method, which the pool of Python does not find."""
    service, _, method = symbol.rpartition(".")
    try:
        known = descriptor_pool.Default().FindServiceByName(service)
    except KeyError:
        return symbol
    return service if method in known.methods_by_name else symbol


def _add_version_1() -> None:
    """Add the description of version 1 to the pool; no package has it, and it differs in the name alone."""
    file = descriptor_pb2.FileDescriptorProto()
    reflection_pb2.DESCRIPTOR.CopyToProto(file)
    text = text_format.MessageToString(file).replace("v1alpha", "v1")
    descriptor_pool.Default().Add(text_format.Parse(text, descriptor_pb2.FileDescriptorProto()))
