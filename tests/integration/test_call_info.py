"""What an engine tells of a call, the same by both engines."""

import asyncio
import re
import ssl
from typing import Any

import grpc
import grpc.aio
import pytest
import trustme
from ipgate.engines import grpcio, http2
from ipgate.engines.tls import TlsFiles
from ipgate.v1 import authorize_pb2 as authorize

from tests.harness.engines import started
from tests.harness.http2 import AUTHORIZE
from tests.harness.servers import ROOT_TOKEN

pytestmark = pytest.mark.engine

QUESTION = authorize.AuthorizeRequest(key="x", ip="1.2.3.4").SerializeToString()


async def told(channel: grpc.aio.Channel, *metadata: tuple[str, str]) -> Any:
    """As `say_who` answers: the peer, its certificate, and the id of the request."""
    call: Any = channel.unary_unary(AUTHORIZE)
    token = ("authorization", f"Bearer {ROOT_TOKEN}")
    answer = await call(QUESTION, metadata=(token, *metadata), timeout=20)
    return authorize.AuthorizeResponse.FromString(answer)


@pytest.mark.parametrize("build", [grpcio.build, http2.build])
async def test_a_call_has_its_peer_and_the_id_of_its_request(build: Any) -> None:
    """The first one if there are several; one of its own is made if there is none, or if it is no word."""
    engine = await started(build)
    try:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{engine.port}") as channel:
            info = await told(channel, ("x-request-id", "one"), ("x-request-id", "two"))
            assert info.api_key.startswith("127.0.0.1:")
            assert info.revision == "one"
            assert info.allow_list == ""
            made = {
                (await told(channel, *metadata)).revision
                for metadata in ((), (("x-request-id", "two words"),))
            }
            assert len(made) == 2
            assert all(re.fullmatch("[0-9a-f]{16}", one) for one in made)
    finally:
        await engine.stop(0)


@pytest.mark.parametrize("build", [grpcio.build, http2.build])
def test_a_call_has_the_certificate_of_its_client(build: Any) -> None:
    """As PEM, with mutual TLS."""
    authority = trustme.CA()
    pair, mine = authority.issue_cert("127.0.0.1"), authority.issue_cert("me@example.org")
    roots = authority.cert_pem.bytes()
    files = TlsFiles(
        pair.cert_chain_pems[0].bytes().decode(),
        pair.private_key_pem.bytes().decode(),
        roots.decode(),
    )
    credentials = grpc.ssl_channel_credentials(
        roots, mine.private_key_pem.bytes(), mine.cert_chain_pems[0].bytes()
    )

    async def run() -> str:
        engine = await started(build, files)
        address = f"127.0.0.1:{engine.port}"
        async with grpc.aio.secure_channel(address, credentials) as channel:
            info = await told(channel)
        await engine.stop(0)
        return str(info.allow_list)

    certificate = mine.cert_chain_pems[0].bytes().decode()
    assert ssl.PEM_cert_to_DER_cert(asyncio.run(run())) == ssl.PEM_cert_to_DER_cert(certificate)
