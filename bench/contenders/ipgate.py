"""ipgate itself, by each of its engines."""

import platform
import ssl
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import grpc
import trustme
from google.protobuf.message import Message
from ipgate.ext_authz.v3.check_pb2 import CheckRequest, CheckResponse
from ipgate.v1 import authorize_pb2 as authorize
from ipgate.version import VERSION

from bench import ranges
from bench.contenders.contender import Ask, Contender, Running
from bench.h2load import Call, grpc_call
from bench.processes import SERVER_CORE, running_on, tree
from tests.harness.ext_authz import BROWSER, PATH, check_request
from tests.harness.servers import Client, serving

SERVICE = "/ipgate.v1.AuthorizeService"
_BATCH = 100
_FEW, _MANY = 10, 100_000

GRPCIO, HTTP2 = "ipgate, grpcio engine", "ipgate, http2 engine"
TLS = f"{HTTP2}, TLS"
METRICS = f"{HTTP2}, metrics"


def rows(engine: str) -> tuple[str, ...]:
    """In the order of `questions`."""
    of = (
        *("", ", 100,000 ranges", f", batches of {_BATCH}", f", streams of {_BATCH}"),
        ", external authorization",
    )
    return tuple(engine + suffix for suffix in of)


@contextmanager
def _serving(
    name: str, version_of_engine: str, directory: Path, *options: str
) -> Iterator[Running]:
    engine = "grpcio" if name == GRPCIO else "http2"
    with ExitStack() as stack:
        with running_on(SERVER_CORE):
            # A rate that is too high must show in latencies, not in refusals.
            flags = ("--engine", engine, "--max-concurrent-calls", "10000", *options)
            server = stack.enter_context(serving(directory, *flags))
        yield Running(
            f"ipgate {VERSION}, {version_of_engine}, Python {platform.python_version()}",
            lambda: tree(server.process.pid),
            dict(zip(rows(name), questions(server.address, directory), strict=True)),
        )


def grpcio_engine(directory: Path) -> AbstractContextManager[Running]:
    return _serving(GRPCIO, f"grpcio {grpc.__version__}", directory)


@contextmanager
def http2_tls(directory: Path) -> Iterator[Running]:
    """Authorize alone, over TLS."""
    authority = trustme.CA()
    pair = authority.issue_cert("127.0.0.1")
    pair.private_key_pem.write_to_path(directory / "key.pem")
    pair.cert_chain_pems[0].write_to_path(directory / "cert.pem")
    flags = ("--tls-cert", f"{directory}/cert.pem", "--tls-key", f"{directory}/key.pem")
    roots = grpc.ssl_channel_credentials(authority.cert_pem.bytes())
    with ExitStack() as stack:
        with running_on(SERVER_CORE):
            server = stack.enter_context(serving(directory / "d", "--engine", "http2", *flags))
        channel = stack.enter_context(grpc.secure_channel(server.address, roots))
        client = Client(server.address, channel=channel)
        plain, *_ = questions(server.address, directory, client)
        assert isinstance(plain.load, Call)
        yield Running(
            f"ipgate {VERSION}, ngh2 {version('ngh2')}, {ssl.OPENSSL_VERSION}",
            lambda: tree(server.process.pid),
            {TLS: replace(plain, load=replace(plain.load, scheme="https"), paced=False)},
        )


def http2_engine(directory: Path) -> AbstractContextManager[Running]:
    return _serving(HTTP2, f"ngh2 {version('ngh2')}", directory)


@contextmanager
def with_metrics(directory: Path) -> Iterator[Running]:
    """What counting costs."""
    options = ("--ops-listen", "127.0.0.1:0")
    with _serving(METRICS, f"ngh2 {version('ngh2')}", directory, *options) as running:
        asks = {name: replace(ask, paced=False) for name, ask in running.asks.items()}
        yield replace(running, asks=asks)


def questions(address: str, directory: Path, client: Client | None = None) -> list[Ask]:
    """About a key of few ranges, about one of many, and about a hundred keys of few, each from another
    address, in one call and over one stream."""
    client = client or Client(address)
    workspace = client.workspace()
    caller = client.as_(client.access_token("AUTHORIZER", workspace).token)
    header = f"authorization: Bearer {caller.token}"

    def linked(count: int, keys: int) -> list[authorize.AuthorizeRequest]:
        """A question for each of so many keys that are linked to a list of `count` ranges."""
        texts = ranges.texts(count)
        responses = [client.key(workspace, f"k{count}-{number}") for number in range(keys)]
        listed = client.allow_list(workspace, f"l{count}", texts, allow_broad=True).name
        client.link(listed, *(response.api_key.name for response in responses))
        return [
            authorize.AuthorizeRequest(key=key.credential, ip=ip)
            for key, ip in zip(responses, ranges.all_inside(texts, keys), strict=True)
        ]

    def call(method: str, message: Message, times: int = 1) -> Call:
        encoded = message.SerializeToString()
        path = f"{SERVICE}/{method}"
        return grpc_call(address, path, encoded, directory, header, times=times)

    def gateway(key: str, ip: str) -> CheckRequest:
        return check_request({**BROWSER, "x-api-key": key, "x-forwarded-for": ip}, peer=ip)

    few, (many,) = linked(_FEW, _BATCH), linked(_MANY, 1)
    first = few[0]
    check = _decided(caller, first)
    together = authorize.BatchAuthorizeRequest(requests=few)

    def check_batch() -> None:
        results = caller.call("BatchAuthorize", together).results
        assert [result.response.allowed for result in results] == [True] * _BATCH

    def check_gateway() -> None:
        ask: Any = caller.channel.unary_unary(
            PATH, CheckRequest.SerializeToString, CheckResponse.FromString
        )
        token = (("authorization", f"Bearer {caller.token}"),)
        for ip, code in ((first.ip, 0), (ranges.OUTSIDE, 7)):
            assert ask(gateway(first.key, ip), metadata=token).status.code == code

    batch = call("BatchAuthorize", together)
    message = authorize.StreamAuthorizeRequest(id="1", request=first)
    return [
        Ask(call("Authorize", first), check),
        Ask(call("Authorize", many), _decided(caller, many), paced=False),
        Ask(batch, check_batch, decisions=_BATCH, paced=False),
        Ask(call("StreamAuthorize", message, _BATCH), check, decisions=_BATCH, paced=False),
        Ask(
            grpc_call(
                address,
                PATH,
                gateway(first.key, first.ip).SerializeToString(),
                directory,
                header,
            ),
            check_gateway,
            paced=False,
        ),
    ]


def _decided(caller: Client, question: authorize.AuthorizeRequest) -> Callable[[], None]:
    def check() -> None:
        assert caller.call("Authorize", question).allowed
        assert not caller.ask(ranges.OUTSIDE, key=question.key).allowed
        wrong = authorize.AuthorizeRequest(key=question.key, ip=ranges.OUTSIDE)
        batch = authorize.BatchAuthorizeRequest(requests=[question, wrong])
        results = caller.call("BatchAuthorize", batch).results
        assert [result.response.allowed for result in results] == [True, False]
        for request in (question, wrong):
            asked = authorize.StreamAuthorizeRequest(id="1", request=request)
            answer = caller.call("StreamAuthorize", asked).response
            assert answer.allowed == (request is question)

    return check


GRPCIO_ENGINE = Contender(GRPCIO, rows(GRPCIO), grpcio_engine)
HTTP2_TLS = Contender(TLS, (TLS,), http2_tls)
HTTP2_METRICS = Contender(METRICS, rows(METRICS), with_metrics)
HTTP2_ENGINE = Contender(HTTP2, rows(HTTP2), http2_engine)
