"""The guards of the client library, each driven by its own protocol; ipgate is a fake of the library."""

import asyncio
import logging
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated, Any

import grpc
import pytest
from fastapi import Depends, FastAPI, WebSocket
from ipgate_client import AsyncClient, Client, ConfigError, Verdict, asgi, wsgi
from ipgate_client.fastapi import IpgateGuard
from ipgate_client.grpc_server import VERDICT, AsyncIpgateInterceptor, IpgateInterceptor
from ipgate_client.pending import Pending
from ipgate_client.testing import FakeAsyncClient, FakeClient

from tests.harness.forwarded import Case, all_cases

KEY = "a-key"
INSIDE, OUTSIDE = "192.0.2.1", "198.51.100.1"
NO_ADDRESS = "none"

Headers = list[tuple[str, str]]


class AskedAsync(FakeAsyncClient):
    """Allows KEY everywhere, and remembers the addresses."""

    def __init__(self) -> None:
        super().__init__()
        self.allow(KEY)
        self.addresses: list[str] = []

    def check(self, **question: Any) -> Pending[Verdict]:
        self.addresses.append(question["ip"])
        return super().check(**question)


class Asked(FakeClient):
    def __init__(self) -> None:
        super().__init__()
        self.allow(KEY)
        self.addresses: list[str] = []

    def check(self, **question: Any) -> Verdict:
        self.addresses.append(question["ip"])
        return super().check(**question)


def through_asgi(
    client: AsyncClient,
    headers: Headers,
    peer: str,
    *,
    path: str = "/",
    query: str = "",
    method: str = "GET",
    **options: Any,
) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body."""
    sent: list[Any] = []

    async def app(scope: Any, _receive: Any, send: Any) -> None:
        assert scope["path"] == "/exempt" or scope["state"]["ipgate"].allowed
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"through"})

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        raise AssertionError

    scope = {
        "type": "http",
        "path": path,
        "query_string": query.encode(),
        "headers": [(name.lower().encode(), value.encode()) for name, value in headers],
        "client": None if peer == "unix" else (peer, 50123),
        "server": ("/run/app.sock", None) if peer == "unix" else ("127.0.0.1", 80),
        "method": method,
    }
    asyncio.run(asgi.IpgateMiddleware(app, client, **options)(scope, receive, send))
    start, body = sent
    names = {name.decode(): value.decode() for name, value in start["headers"]}
    return start["status"], names, body["body"]


def through_wsgi(
    client: Client,
    headers: Headers,
    peer: str,
    *,
    path: str = "/",
    query: str = "",
    method: str = "GET",
    **options: Any,
) -> tuple[int, dict[str, str], bytes]:
    started: list[Any] = []

    def app(environ: Any, start_response: Any) -> list[bytes]:
        assert environ["PATH_INFO"] == "/exempt" or environ["ipgate"].allowed
        start_response("200 OK", [])
        return [b"through"]

    environ: dict[str, Any] = {
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "REQUEST_METHOD": method,
        "REMOTE_ADDR": "" if peer == "unix" else peer,
    }
    for name, value in headers:
        variable = "HTTP_" + name.upper().replace("-", "_")
        environ[variable] = f"{environ[variable]},{value}" if variable in environ else value
    guarded = wsgi.IpgateMiddleware(app, client, **options)
    body = b"".join(guarded(environ, lambda *response: started.append(response)))
    ((status, names),) = started
    return int(status.split()[0]), dict(names), body


class Context:
    """The context of a call, as far as an interceptor looks at it."""

    def __init__(self, headers: Headers, peer: str) -> None:
        self._metadata = tuple((name.lower(), value) for name, value in headers)
        self._peer = peer

    def invocation_metadata(self) -> Any:
        return self._metadata

    def peer(self) -> str:
        return self._peer


def through_grpc(client: Client, headers: Headers, peer: str, **options: Any) -> int:
    kind = "unix" if peer == "unix" else "ipv6" if peer.count(":") > 1 else "ipv4"
    name = f"{kind}:{peer}".replace("[", "%5B").replace("]", "%5D")

    class Denied(Exception):
        pass

    class Aborting(Context):
        def abort(self, code: grpc.StatusCode, _text: str) -> None:
            raise Denied(code.name)

    handler: Any = grpc.unary_unary_rpc_method_handler(lambda _request, _context: b"through")
    interceptor = IpgateInterceptor(client, **options)
    details: Any = type("Details", (), {"method": "/s/m"})
    guarded = interceptor.intercept_service(lambda _: handler, details)
    try:
        assert guarded.unary_unary(b"", Aborting(headers, name)) == b"through"
    except Denied as denied:
        codes = {"UNAUTHENTICATED": 401, "PERMISSION_DENIED": 403, "UNAVAILABLE": 503}
        return codes[str(denied)]
    return 200


@pytest.mark.parametrize("case", all_cases(), ids=lambda case: case.name)
def test_every_guard_judges_the_address_that_follows(case: Case) -> None:
    """As the server does, by the cases that both share."""
    headers = [("X-Api-Key", KEY), *case.headers()]
    options: dict[str, Any] = {"trusted_proxies": case.trusted_proxies}
    wanted = [case.address] if case.address else []
    status = 200 if case.address else 403

    task = AskedAsync()
    assert through_asgi(task, headers, case.peer, **options)[0] == status
    assert task.addresses == wanted
    if not case.peer:
        return
    thread = Asked()
    assert through_wsgi(thread, headers, case.peer, **options)[0] == status
    assert thread.addresses == wanted
    call = Asked()
    assert through_grpc(call, headers, case.peer, **options) == status
    assert call.addresses == wanted


Through = Callable[..., tuple[int, dict[str, str], bytes]]
both = pytest.mark.parametrize(
    ("through", "kind"),
    [(through_asgi, FakeAsyncClient), (through_wsgi, FakeClient)],
    ids=["asgi", "wsgi"],
)


@both
def test_an_end_client_is_told_no_more_than_that_it_is_rejected(
    through: Through, kind: Any
) -> None:
    """401 without a key, 403 for a denial, 503 where ipgate cannot decide."""
    client = kind()
    client.allow(KEY, INSIDE)
    client.allow("off", disabled=True)
    status, headers, body = through(client, [], INSIDE)
    assert (status, body) == (401, b'{"detail":"Unauthorized"}')
    assert headers["www-authenticate"] == "ApiKey"
    for key, address in ((KEY, OUTSIDE), ("off", INSIDE), ("wrong", INSIDE)):
        status, headers, body = through(client, [("X-Api-Key", key)], address)
        assert (status, body) == (403, b'{"detail":"Forbidden"}')
        assert headers["content-length"] == str(len(body))
    assert through(client, [("X-Api-Key", KEY)], INSIDE)[0] == 200
    client.fail()
    status, _, body = through(client, [("X-Api-Key", KEY)], INSIDE)
    assert (status, body) == (503, b'{"detail":"Service Unavailable"}')
    client.recover()
    assert through(client, [("X-Api-Key", KEY)], INSIDE)[0] == 200


@both
def test_an_answer_to_head_has_no_body(through: Through, kind: Any) -> None:
    """A proxy in front would take it for the beginning of the next answer."""
    status, headers, body = through(kind(), [], INSIDE, method="HEAD")
    assert (status, body) == (401, b"")
    assert headers["content-length"] != "0"


@both
@pytest.mark.parametrize("argument", ["exempt", "trusted_proxies"])
def test_one_text_is_no_list(through: Through, kind: Any, argument: str) -> None:
    """Its characters would be the entries, and the path `/` exempt."""
    with pytest.raises(ConfigError, match="give a list of them"):
        through(kind(), [], INSIDE, **{argument: "/healthz"})
    with pytest.raises(ConfigError, match="begin it with a slash"):
        through(kind(), [], INSIDE, exempt=["healthz"])


def test_a_peer_that_is_not_known_is_no_unix_socket() -> None:
    """A server names no peer for a connection of TCP that is gone, too."""
    client, sent = FakeAsyncClient(), list[Any]()
    client.allow(KEY)

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "GET",
        "path": "/",
        "headers": [(b"x-api-key", KEY.encode()), (b"x-forwarded-for", INSIDE.encode())],
        "client": None,
        "server": ("127.0.0.1", 80),
    }
    app: Any = None
    guarded = asgi.IpgateMiddleware(app, client, trusted_proxies=["unix"])
    asyncio.run(guarded(scope, app, send))
    assert sent[0]["status"] == 403


@both
def test_a_key_that_only_reports_is_let_through(through: Through, kind: Any) -> None:
    """The application finds in the verdict what would be denied."""
    client = kind()
    client.allow(KEY, INSIDE, report_only=True)
    assert through(client, [("X-Api-Key", KEY)], OUTSIDE)[0] == 200


@both
def test_a_key_comes_from_where_the_application_says(through: Through, kind: Any) -> None:
    """A header, a Bearer token, a parameter, or what a function finds in the request."""
    client = kind()
    client.allow(KEY)
    bearer = [("Authorization", f"Bearer {KEY}")]
    assert through(client, bearer, INSIDE)[0] == 401
    assert through(client, bearer, INSIDE, key="authorization")[0] == 200
    assert through(client, [], INSIDE, key="?k", query=f"k={KEY}")[0] == 200
    assert through(client, [], INSIDE, key=lambda request: KEY if request else "")[0] == 200
    status, headers, _ = through(client, [], INSIDE, key=lambda _: None)
    assert (status, headers["www-authenticate"]) == (401, "ApiKey")


@both
def test_only_an_exempt_path_needs_no_key(through: Through, kind: Any) -> None:
    """Exactly that path."""
    options = {"exempt": ["/exempt"]}
    assert through(kind(), [], INSIDE, path="/exempt", **options)[2] == b"through"
    for path in ("/", "/exempt/", "/exempt/x", "/Exempt", "//exempt", "/exempt%20"):
        assert through(kind(), [], INSIDE, path=path, **options)[0] == 401, path


@both
@pytest.mark.parametrize("options", [{"trusted_proxies": ["10.0.0.1/8"]}, {"key": "x api key"}])
def test_a_misspelled_option_is_found_at_the_start(
    through: Through, kind: Any, options: dict[str, Any]
) -> None:
    """The error names the argument and the remedy."""
    with pytest.raises(ConfigError, match="use") as error:
        through(kind(), [], INSIDE, **options)
    assert error.value.argument in options


def test_the_log_says_why(caplog: pytest.LogCaptureFixture) -> None:
    """Never with the key."""
    client = FakeAsyncClient()
    client.allow(KEY, INSIDE)
    with caplog.at_level(logging.INFO, "ipgate_client"):
        through_asgi(client, [("X-Api-Key", KEY)], OUTSIDE)
        client.fail()
        through_asgi(client, [("X-Api-Key", KEY)], OUTSIDE)
    assert [record.getMessage() for record in caplog.records] == [
        f"denied reason=NOT_IN_LINKED_LISTS api_key=workspaces/test/apiKeys/k1 address={OUTSIDE}",
        "not decided error='UNAVAILABLE: the test wants it'",
    ]


def converse(app: Any, kind: str, path: str, **headers: str) -> list[dict[str, Any]]:
    """What an ASGI application sends to a request or a WebSocket from INSIDE."""
    sent: list[dict[str, Any]] = []
    received = [{"type": "websocket.connect"}, {"type": "http.request", "body": b""}]

    async def receive() -> Any:
        return received[kind == "http"]

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": kind,
        "path": path,
        "raw_path": path.encode(),
        "method": "GET",
        "scheme": "ws" if kind == "websocket" else "http",
        "query_string": b"",
        "headers": [
            (name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()
        ],
        "client": (INSIDE, 50123),
        "server": ("127.0.0.1", 80),
        "app": app,
    }
    asyncio.run(app(scope, receive, send))
    return sent


def status_of(messages: list[dict[str, Any]]) -> int:
    assert messages[0]["type"] == "http.response.start"
    return int(messages[0]["status"])


def test_a_websocket_is_guarded_as_well() -> None:
    """The middleware closes it before it opens."""
    client = FakeAsyncClient()
    client.allow(KEY)
    app = FastAPI()
    app.add_middleware(asgi.IpgateMiddleware, client=client)

    @app.websocket("/talk")
    async def talk(socket: WebSocket) -> None:
        await socket.accept()
        await socket.send_text(socket.state.ipgate.api_key)

    opened = converse(app, "websocket", "/talk", x_api_key=KEY)
    assert opened[1]["text"] == "workspaces/test/apiKeys/k1"
    for headers in ({}, {"x_api_key": "wrong"}):
        assert converse(app, "websocket", "/talk", **headers) == [
            {"type": "websocket.close", "code": 1008}
        ]


@pytest.fixture
def guarded() -> tuple[FakeAsyncClient, FastAPI]:
    """A route and a WebSocket of FastAPI with the dependency."""
    client, app = FakeAsyncClient(), FastAPI()
    guard = IpgateGuard(client)
    client.allow(KEY, INSIDE)

    @app.get("/orders")
    async def orders(verdict: Annotated[Verdict, Depends(guard)]) -> str:
        return verdict.reason

    @app.websocket("/talk")
    async def talk(socket: WebSocket, verdict: Annotated[Verdict, Depends(guard)]) -> None:
        await socket.accept()
        await socket.send_text(verdict.reason)

    return client, app


def test_a_route_gets_the_verdict_of_its_dependency(
    guarded: tuple[FakeAsyncClient, FastAPI],
) -> None:
    """Or is not called, as with the middleware."""
    client, app = guarded
    allowed = converse(app, "http", "/orders", x_api_key=KEY)
    assert (status_of(allowed), allowed[1]["body"]) == (200, b'"LINKED_LIST_MATCH"')
    missing = converse(app, "http", "/orders")
    assert (status_of(missing), missing[1]["body"]) == (401, b'{"detail":"Unauthorized"}')
    assert (b"www-authenticate", b"ApiKey") in missing[0]["headers"]
    wrong = converse(app, "http", "/orders", x_api_key="wrong")
    assert (status_of(wrong), wrong[1]["body"]) == (403, b'{"detail":"Forbidden"}')
    client.fail()
    failed = converse(app, "http", "/orders", x_api_key=KEY)
    assert (status_of(failed), failed[1]["body"]) == (503, b'{"detail":"Service Unavailable"}')


def test_a_websocket_gets_the_verdict_of_its_dependency(
    guarded: tuple[FakeAsyncClient, FastAPI],
) -> None:
    """Or does not open."""
    _, app = guarded
    opened = converse(app, "websocket", "/talk", x_api_key=KEY)
    assert [message["type"] for message in opened] == ["websocket.accept", "websocket.send"]
    for headers in ({}, {"x_api_key": "wrong"}):
        types = [message["type"] for message in converse(app, "websocket", "/talk", **headers)]
        assert types in (
            ["websocket.close"],
            ["websocket.http.response.start", "websocket.http.response.body"],
        )


@pytest.mark.parametrize(
    ("key", "scheme"),
    [
        ("x-my-key", {"type": "apiKey", "in": "header", "name": "x-my-key"}),
        ("?k", {"type": "apiKey", "in": "query", "name": "k"}),
        ("authorization", {"type": "http", "scheme": "bearer"}),
        (lambda _: KEY, {"type": "apiKey", "in": "header", "name": "x-api-key"}),
    ],
)
def test_the_documentation_of_the_api_shows_where_the_key_belongs(
    key: Any, scheme: dict[str, str]
) -> None:
    """As a security scheme of OpenAPI."""
    app = FastAPI()
    guard = IpgateGuard(FakeAsyncClient(), key=key)

    @app.get("/orders", dependencies=[Depends(guard)])
    async def orders() -> None: ...

    document = app.openapi()
    assert document["components"]["securitySchemes"] == {"ipgate": scheme}
    assert document["paths"]["/orders"]["get"]["security"] == [{"ipgate": []}]


def test_every_kind_of_method_of_grpcio_is_guarded() -> None:
    """On servers with threads and with asyncio; methods find the verdict, and exempt ones need no key."""
    thread, task = FakeClient(), FakeAsyncClient()
    thread.allow(KEY)
    task.allow(KEY)
    exempt = ["/s/Exempt"]
    server = grpc.server(
        ThreadPoolExecutor(4), interceptors=[IpgateInterceptor(thread, exempt=exempt)]
    )
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("s", _methods())])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        _ask_all(port)
    finally:
        server.stop(0).wait()
    asyncio.run(_ask_all_async(AsyncIpgateInterceptor(task, exempt=exempt)))


async def _ask_all_async(interceptor: Any) -> None:
    server = grpc.aio.server(interceptors=[interceptor])
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("s", _async_methods())])
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    await asyncio.to_thread(_ask_all, port)
    await server.stop(0)


def _name() -> bytes:
    return VERDICT.get().api_key.encode()


def _methods() -> dict[str, Any]:
    def one(_request: Any, _context: Any) -> bytes:
        return _name()

    def many(_request: Any, _context: Any) -> Iterator[bytes]:
        yield b"a"
        yield b"b"

    return {
        "UnaryUnary": grpc.unary_unary_rpc_method_handler(one),
        "UnaryStream": grpc.unary_stream_rpc_method_handler(many),
        "StreamUnary": grpc.stream_unary_rpc_method_handler(one),
        "StreamStream": grpc.stream_stream_rpc_method_handler(many),
        "Exempt": grpc.unary_unary_rpc_method_handler(lambda _request, _context: b"exempt"),
    }


def _async_methods() -> dict[str, Any]:
    async def one(_request: Any, _context: Any) -> bytes:
        return _name()

    async def many(_request: Any, _context: Any) -> Any:
        yield _name()
        yield b"b"

    async def written(_request: Any, context: Any) -> None:
        await context.write(_name())
        await context.write(b"b")

    async def exempt(_request: Any, _context: Any) -> bytes:
        return b"exempt"

    return {
        "UnaryUnary": grpc.unary_unary_rpc_method_handler(one),
        "UnaryStream": grpc.unary_stream_rpc_method_handler(many),
        "StreamUnary": grpc.stream_unary_rpc_method_handler(one),
        "StreamStream": grpc.stream_stream_rpc_method_handler(written),
        "Exempt": grpc.unary_unary_rpc_method_handler(exempt),
    }


def _ask_all(port: int) -> None:
    channel: Any
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        calls: dict[str, Callable[[Any], Any]] = {
            "UnaryUnary": lambda metadata: channel.unary_unary("/s/UnaryUnary")(
                b"", metadata=metadata
            ),
            "UnaryStream": lambda metadata: list(
                channel.unary_stream("/s/UnaryStream")(b"", metadata=metadata)
            ),
            "StreamUnary": lambda metadata: channel.stream_unary("/s/StreamUnary")(
                iter([b""]), metadata=metadata
            ),
            "StreamStream": lambda metadata: list(
                channel.stream_stream("/s/StreamStream")(iter([b""]), metadata=metadata)
            ),
        }
        for name, call in calls.items():
            assert call((("x-api-key", KEY),)), name
            for metadata, code in (
                ((), "UNAUTHENTICATED"),
                ((("x-api-key", "w"),), "PERMISSION_DENIED"),
            ):
                with pytest.raises(grpc.RpcError) as error:
                    call(metadata)
                assert error.value.code().name == code, name
        assert channel.unary_unary("/s/Exempt")(b"") == b"exempt"
        with pytest.raises(grpc.RpcError) as error:
            channel.unary_unary("/s/None")(b"")
        assert error.value.code().name == "UNIMPLEMENTED"
