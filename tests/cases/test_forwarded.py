"""Every YAML file in `forwarded` says which client address follows from what proxies sent."""

from pathlib import Path

import pytest
from ipgate.domain.addresses import format_address
from ipgate.domain.forwarded import TrustedProxies, client_address
from ipgate.v1 import authorize_pb2 as authorize

from tests.harness.forwarded import Case, all_cases, cases, files
from tests.harness.servers import Client, RpcFailed, serving

pytestmark = pytest.mark.engine

TOO_LARGE = 8 << 10
"""Bytes of a question that the server does not read."""


@pytest.mark.parametrize("case", all_cases(), ids=lambda case: case.name)
def test_the_address_follows_as_the_case_says(case: Case) -> None:
    """The algorithm that server, client library and gateways share."""
    trusted = TrustedProxies(case.trusted_proxies)
    address = client_address(case.peer, case.x_forwarded_for, case.forwarded, trusted)
    assert ("" if address is None else format_address(address)) == case.address


@pytest.mark.parametrize("path", files(), ids=lambda path: path.stem)
def test_a_server_judges_the_address_that_follows(path: Path, tmp_path: Path) -> None:
    """By its setting; the answer names the address, and without one even an open key is denied."""
    wanted = cases(path)
    trusted = ",".join(wanted[0].trusted_proxies)
    with serving(tmp_path, "--trusted-proxies", trusted) as server:
        client = server.client()
        workspace = client.workspace()
        key = client.key(workspace, "open").api_key.name
        for case in wanted:
            request = authorize.AuthorizeRequest(
                api_key=key,
                forwarded=authorize.Forwarded(
                    peer=case.peer, x_forwarded_for=case.x_forwarded_for, forwarded=case.forwarded
                ),
            )
            if request.ByteSize() > TOO_LARGE:
                with pytest.raises(RpcFailed) as failed:
                    client.call("Authorize", request)
                assert failed.value.code == "RESOURCE_EXHAUSTED"
                continue
            for response in answers(client, request):
                assert response.address == case.address, case.name
                reason = "UNRESTRICTED" if case.address else "NO_CLIENT_ADDRESS"
                assert authorize.Reason.Name(response.reason) == f"REASON_{reason}", case.name
                assert response.allowed is bool(case.address), case.name


def answers(
    client: Client, request: authorize.AuthorizeRequest
) -> list[authorize.AuthorizeResponse]:
    """The answers to one question by each of the three methods."""
    batch = client.call("BatchAuthorize", authorize.BatchAuthorizeRequest(requests=[request]))
    stream = client.call("StreamAuthorize", authorize.StreamAuthorizeRequest(request=request))
    return [client.call("Authorize", request), batch.results[0].response, stream.response]


def test_no_address_is_a_denial_before_all_other_rules(client: Client, workspace: str) -> None:
    """Also of a key that only reports, of one that is unknown, and at a revision that is not there yet."""
    allow_list = client.allow_list(workspace, "office", ["192.0.2.0/24"])
    key = client.key(workspace, "reporting", report_only=True).api_key.name
    client.link(allow_list.name, key)
    for name, revision in (
        (key, ""),
        (f"{workspace}/apiKeys/nobody", ""),
        (key, client.key(workspace, "later").revision),
    ):
        response = client.call(
            "Authorize",
            authorize.AuthorizeRequest(
                api_key=name,
                forwarded=authorize.Forwarded(peer="unix", x_forwarded_for=["192.0.2.1"]),
                min_revision=revision,
            ),
        )
        assert response == authorize.AuthorizeResponse(reason="REASON_NO_CLIENT_ADDRESS")
