"""The clients of backends: verdicts, failures as denials, and questions asked together."""

import asyncio
import inspect
import os
import signal
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import grpc
import pytest
import trustme
from ipgate.v1 import admin_pb2 as admin
from ipgate.v1 import authorize_pb2 as authorize
from ipgate.v1 import authorize_pb2_grpc as stubs
from ipgate_client import (
    AsyncClient,
    CallFailed,
    Client,
    ConfigError,
    Denied,
    Forwarded,
    Tls,
    Verdict,
)
from ipgate_client import errors as client_errors

from tests.harness.servers import ROOT_TOKEN, Server, serving
from tests.harness.servers import Client as Administrator
from tests.harness.waiting import eventually

INSIDE, OUTSIDE = "192.0.2.1", "198.51.100.1"
PATIENT = 10.0
"""Seconds for questions whose time is not what is tested."""

Check = Callable[..., Verdict]


class Async:
    """An AsyncClient with the words of a Client, in an event loop of its own."""

    def __init__(self, *args: Any, **options: Any) -> None:
        self.runner = asyncio.Runner()
        self.client = AsyncClient(*args, **options)

    def check(self, **question: Any) -> Verdict:
        return self.runner.run(self.client.check(**question))

    def authorize(self, **question: Any) -> Verdict:
        return self.runner.run(self.client.authorize(**question))

    def close(self) -> None:
        self.runner.run(self.client.close())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()
        self.runner.close()


both = pytest.mark.parametrize("kind", [Client, Async], ids=["threads", "asyncio"])
Kind = type[Client] | type[Async]


@pytest.fixture
def credential(client: Administrator, workspace: str) -> str:
    """The credential of a key that may be used from INSIDE."""
    allow_list = client.allow_list(workspace, "office", [INSIDE])
    key = client.key(workspace, "ci")
    client.link(allow_list.name, key.api_key.name)
    return str(key.credential)


@both
def test_a_verdict_says_all_that_the_answer_says(
    kind: Kind, server: Server, workspace: str, credential: str
) -> None:
    """It is true if it allows, and false otherwise."""
    with kind(server.address, token=ROOT_TOKEN, timeout=PATIENT) as client:
        allowed = client.check(key=credential, ip=INSIDE)
        assert allowed
        assert allowed == Verdict(
            allowed=True,
            reason="LINKED_LIST_MATCH",
            api_key=f"{workspace}/apiKeys/ci",
            allow_list=f"{workspace}/allowLists/office",
            range=INSIDE,
            address=INSIDE,
            revision=allowed.revision,
        )
        assert allowed.revision
        denied = client.check(api_key=f"{workspace}/apiKeys/ci", ip=OUTSIDE)
        assert not denied
        assert (denied.reason, denied.error) == ("NOT_IN_LINKED_LISTS", None)
        assert client.check(key="nobody's", ip=INSIDE).reason == "KEY_UNKNOWN"


@both
def test_a_verdict_shows_what_is_only_reported(
    kind: Kind, server: Server, client: Administrator, workspace: str
) -> None:
    """Allowed, with the reason of the denial."""
    key = client.key(workspace, "reporting", report_only=True)
    client.link(client.allow_list(workspace, "l", [INSIDE]).name, key.api_key.name)
    with kind(server.address, token=ROOT_TOKEN, timeout=PATIENT) as asking:
        verdict = asking.check(key=key.credential, ip=OUTSIDE)
    assert verdict
    assert (verdict.report_only, verdict.reason) == (True, "NOT_IN_LINKED_LISTS")


@both
def test_authorize_returns_only_what_is_allowed(
    kind: Kind, server: Server, credential: str
) -> None:
    """A denial and a failure are errors, so that nobody is allowed whose result is not looked at."""
    with kind(server.address, token=ROOT_TOKEN, timeout=PATIENT) as client:
        assert client.authorize(key=credential, ip=INSIDE).allowed
        with pytest.raises(Denied) as denied:
            client.authorize(key=credential, ip=OUTSIDE)
        assert denied.value.verdict.reason == "NOT_IN_LINKED_LISTS"
        with pytest.raises(CallFailed) as failed:
            client.authorize(key=credential, ip="nowhere")
        assert failed.value.violations[0].field == "ip"


@both
def test_the_server_finds_the_address_behind_proxies(kind: Kind, tmp_path: Path) -> None:
    """By its trusted proxies; the verdict names the address."""
    with serving(tmp_path, "--trusted-proxies", "10.0.0.0/8") as server:
        administrator = server.client()
        key = administrator.key(administrator.workspace(), "k").credential
        with kind(server.address, token=ROOT_TOKEN, timeout=PATIENT) as client:
            forwarded = Forwarded(peer="10.0.0.1", x_forwarded_for=[INSIDE])
            verdict = client.check(key=key, forwarded=forwarded)
            assert (verdict.allowed, verdict.address) == (True, INSIDE)
            nowhere = client.check(key=key, forwarded=Forwarded(peer="10.0.0.1"))
            assert (nowhere.allowed, nowhere.reason) == (False, "NO_CLIENT_ADDRESS")


@both
def test_a_verdict_can_wait_for_a_change(
    kind: Kind, server: Server, client: Administrator, workspace: str, credential: str
) -> None:
    """`min_revision` is that of the change."""
    add = admin.AddRangesRequest(
        allow_list=f"{workspace}/allowLists/office", ranges=[{"cidr": OUTSIDE}]
    )
    revision = client.call("AddRanges", add).revision
    with kind(server.address, token=ROOT_TOKEN, timeout=PATIENT) as asking:
        assert asking.check(key=credential, ip=OUTSIDE, min_revision=revision)


@both
@pytest.mark.parametrize(
    "question",
    [
        {"key": "k" * 2000},
        {"key": "\udcff"},
        {"key": None},
        {"key": 7},
        {"key": b"k"},
        {"key": ""},
        {},
        {"ip": None},
        {"ip": ""},
        {"ip": "\udcff"},
        {"ip": 7},
        {"api_key": "\udcff"},
        {"api_key": "nonsense"},
        {"api_key": "x" * 20_000},
        {"forwarded": "10.0.0.1"},
        {"forwarded": Forwarded()},
        {"min_revision": "nonsense"},
        {"min_revision": 7},
        {"timeout": 0},
        {"timeout": -1},
        {"timeout": "soon"},
    ],
    ids=str,
)
def test_bad_input_is_denied_and_raises_nothing(
    kind: Kind, server: Server, credential: str, question: dict[str, Any]
) -> None:
    """Whatever a backend passes on; and no error quotes the key."""
    with kind(server.address, token=ROOT_TOKEN, timeout=PATIENT) as client:
        asked = {"key": credential, "ip": INSIDE} | question
        if "api_key" in question or not question:
            del asked["key"]
        verdict = client.check(**asked)
        assert verdict.allowed is False
        assert verdict.error or verdict.reason in ("KEY_UNKNOWN", "NO_CLIENT_ADDRESS")
        assert credential not in repr(verdict)
        assert client.check(key=credential, ip=INSIDE), "the next question has its answer"


@both
def test_without_a_server_every_question_is_denied(kind: Kind, free_port: int) -> None:
    """With an error that says so, within its time."""
    with kind(f"127.0.0.1:{free_port}", token=ROOT_TOKEN) as client:
        verdict = client.check(key="k", ip=INSIDE)
        assert not verdict
        assert verdict.error is not None
        assert verdict.error.code.name in ("UNAVAILABLE", "DEADLINE_EXCEEDED")
        with pytest.raises(CallFailed):
            client.authorize(key="k", ip=INSIDE)


@both
def test_a_closed_client_denies(kind: Kind, server: Server, credential: str) -> None:
    """It says that it is closed; closing twice does nothing."""
    with kind(server.address, token=ROOT_TOKEN, timeout=PATIENT) as client:
        assert client.check(key=credential, ip=INSIDE)
        client.close()
        verdict = client.check(key=credential, ip=INSIDE)
        assert (verdict.allowed, str(verdict.error)) == (
            False,
            "CANCELLED: the client is closed",
        )


@both
@pytest.mark.parametrize(
    ("options", "argument"),
    [
        ({}, "token"),
        ({"token": "t", "token_file": "f"}, "token"),
        ({"token_file": "/nowhere"}, "token_file"),
        ({"token": "two\nlines"}, "token"),
    ],
)
def test_an_unusable_token_is_found_when_the_client_is_made(
    kind: Kind, options: dict[str, Any], argument: str
) -> None:
    """Not with the first question."""
    with pytest.raises(ConfigError) as error:
        kind("127.0.0.1:1", **options)
    assert error.value.argument == argument


@both
@pytest.mark.parametrize("timeout", [None, 0, -1, "soon", float("nan"), float("inf")])
def test_a_timeout_that_is_none_is_found_when_the_client_is_made(kind: Kind, timeout: Any) -> None:
    """Not with the first question."""
    with pytest.raises(ConfigError, match="give seconds, as in"):
        kind("127.0.0.1:1", token="t", timeout=timeout)


@both
def test_a_question_names_one_key_and_one_address(
    kind: Kind, server: Server, workspace: str, credential: str
) -> None:
    """Of two, one would not count, and nobody would know which."""
    name = f"{workspace}/apiKeys/ci"
    with kind(server.address, token=ROOT_TOKEN, timeout=PATIENT) as client:
        for key, api_key in (("wrong", name), (credential, name)):
            verdict = client.check(key=key, api_key=api_key, ip=INSIDE)
            assert (verdict.allowed, "give one of both" in str(verdict.error)) == (False, True)
        forwarded = Forwarded(peer=INSIDE)
        verdict = client.check(key=credential, ip=OUTSIDE, forwarded=forwarded)
        assert (verdict.allowed, "give one of both" in str(verdict.error)) == (False, True)


def test_a_question_that_is_not_awaited_is_not_true(server: Server, credential: str) -> None:
    """A coroutine would be, and allow everybody."""

    async def forget() -> None:
        async with AsyncClient(server.address, token=ROOT_TOKEN, timeout=PATIENT) as client:
            with pytest.raises(TypeError, match="await"):
                bool(client.check(key=credential, ip=INSIDE))
            assert await asyncio.create_task(client.check(key=credential, ip=INSIDE))
            assert await asyncio.wait_for(client.check(key=credential, ip=INSIDE), PATIENT)

    asyncio.run(forget())


def test_a_loop_that_ends_before_it_asks_leaves_nothing_behind(
    server: Server, credential: str
) -> None:
    """The next loop asks as the first would have."""
    client = AsyncClient(server.address, token=ROOT_TOKEN, timeout=PATIENT)
    loop = asyncio.new_event_loop()

    async def begin() -> Any:
        return asyncio.create_task(client.check(key=credential, ip=INSIDE))

    # The loop stops in the turn in which the question is gathered.
    begun = loop.run_until_complete(begin())
    loop.close()
    assert not begun.done()

    async def ask() -> Verdict:
        return await asyncio.wait_for(client.check(key=credential, ip=INSIDE), PATIENT)

    assert asyncio.run(ask())


def test_a_client_that_has_asked_asks_in_a_child_as_well(server: Server, credential: str) -> None:
    """With a channel of its own, and without what the parent's threads were at."""
    program = """
import os, sys
from ipgate_client import Client
server, token, key, ip = sys.argv[1:]
client = Client(server, token=token, timeout=10)
assert client.check(key=key, ip=ip)
client._batches._in_flight = 1  # as if another thread asked
client._lock.acquire()
child = os.fork()
if child == 0:
    os._exit(0 if client.check(key=key, ip=ip) else 1)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
"""
    command = (sys.executable, "-c", program, server.address, ROOT_TOKEN, credential, INSIDE)
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr


@both
def test_a_token_file_is_read_again(
    kind: Kind,
    server: Server,
    client: Administrator,
    credential: str,
    tmp_path: Path,
) -> None:
    """A token that was replaced and revoked fails no question; one that is gone denies all."""
    file = tmp_path / "token"
    first, second = (client.access_token("AUTHORIZER") for _ in range(2))
    file.write_text(first.token)
    with kind(server.address, token_file=file, timeout=PATIENT) as asking:
        assert asking.check(key=credential, ip=INSIDE)
        file.write_text(second.token + "\n")
        revoke(client, first)
        assert asking.check(key=credential, ip=INSIDE)

        file.unlink()
        assert asking.check(key=credential, ip=INSIDE), "the token that was read still works"
        revoke(client, second)
        verdict = asking.check(key=credential, ip=INSIDE)
        assert not verdict
        assert verdict.error is not None
        assert verdict.error.code.name == "UNAUTHENTICATED"
        assert second.token not in repr(verdict)


def revoke(client: Administrator, token: Any) -> None:
    """Returns when no worker knows the token any more."""
    request = admin.RevokeAccessTokenRequest(name=token.access_token.name)
    revision = client.call("RevokeAccessToken", request).revision
    client.call("WaitForRevision", admin.WaitForRevisionRequest(revision=revision))


@both
def test_a_client_finds_a_server_that_restarted(kind: Kind, tmp_path: Path, free_port: int) -> None:
    """It denies in between, and answers again soon after, without help."""
    address = f"127.0.0.1:{free_port}"
    with kind(address, token=ROOT_TOKEN) as client:
        with serving(tmp_path, "--listen", address) as server:
            administrator = server.client()
            key = administrator.key(administrator.workspace(), "k").credential
            eventually(lambda: bool(client.check(key=key, ip=INSIDE)), "the server answers")
        assert not client.check(key=key, ip=INSIDE)
        with serving(tmp_path, "--listen", address):
            eventually(lambda: bool(client.check(key=key, ip=INSIDE)), "again", within=5)


@both
def test_one_server_of_two_that_ends_fails_no_question(kind: Kind, tmp_path: Path) -> None:
    """Calls go to both in turn, and those of a server that is gone are asked again."""
    with serving(tmp_path / "a") as first:
        url = f"unix://{tmp_path}/a/store/valkey.sock"
        with serving(tmp_path / "b", "--redis-url", url) as second:
            administrator = first.client()
            key = administrator.key(administrator.workspace(), "k").credential
            addresses = f"ipv4:{first.address},{second.address}"
            with kind(addresses, token=ROOT_TOKEN, timeout=PATIENT) as client:
                assert all(client.check(key=key, ip=INSIDE) for _ in range(20))
                workers = second.workers()
                second.process.kill()
                for worker in workers:
                    os.kill(worker, signal.SIGKILL)
                assert all(client.check(key=key, ip=INSIDE) for _ in range(200))


@both
def test_a_client_asks_over_tls(kind: Kind, tmp_path: Path) -> None:
    """It believes the authority that is given, and denies with another one."""
    ours, other = trustme.CA(), trustme.CA()
    certificate = ours.issue_cert("127.0.0.1")
    certificate.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    certificate.private_key_pem.write_to_path(tmp_path / "key.pem")
    ours.cert_pem.write_to_path(tmp_path / "ours.pem")
    other.cert_pem.write_to_path(tmp_path / "other.pem")
    flags = ("--tls-cert", str(tmp_path / "cert.pem"), "--tls-key", str(tmp_path / "key.pem"))
    with serving(tmp_path / "server", *flags) as server:
        roots = grpc.ssl_channel_credentials((tmp_path / "ours.pem").read_bytes())
        administrator = Administrator(
            server.address, channel=grpc.secure_channel(server.address, roots)
        )
        key = administrator.key(administrator.workspace(), "k").credential
        tls = Tls(ca=tmp_path / "ours.pem")
        with kind(server.address, token=ROOT_TOKEN, tls=tls, timeout=PATIENT) as client:
            assert client.check(key=key, ip=INSIDE)
        for wrong in (Tls(ca=tmp_path / "other.pem"), None):
            with kind(server.address, token=ROOT_TOKEN, tls=wrong, timeout=1) as client:
                assert client.check(key=key, ip=INSIDE).error
        with pytest.raises(ConfigError):
            kind(server.address, token=ROOT_TOKEN, tls=Tls(ca=tmp_path / "key.pem"))


class Hanging(stubs.AuthorizeServiceServicer):
    """A server that counts what it is asked, and answers when it may."""

    def __init__(self) -> None:
        self.asked: list[Any] = []
        self.may_answer = threading.Event()
        self.may_answer.set()
        self.results: int | None = None

    def Authorize(self, _request: Any, _context: Any) -> Any:  # noqa: N802
        self.asked.append(1)
        self.may_answer.wait(PATIENT)
        return authorize.AuthorizeResponse(allowed=True, reason="REASON_UNRESTRICTED")

    def BatchAuthorize(self, request: Any, _context: Any) -> Any:  # noqa: N802
        self.asked.append(len(request.requests))
        self.may_answer.wait(PATIENT)
        result = authorize.BatchAuthorizeResult(
            response=authorize.AuthorizeResponse(allowed=True, reason="REASON_UNRESTRICTED")
        )
        count = len(request.requests) if self.results is None else self.results
        return authorize.BatchAuthorizeResponse(results=[result] * count)


@contextmanager
def hanging() -> Iterator[tuple[Hanging, str]]:
    servicer = Hanging()  # type: ignore[abstract]
    server = grpc.server(ThreadPoolExecutor(16))
    stubs.add_AuthorizeServiceServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield servicer, f"127.0.0.1:{port}"
    finally:
        servicer.may_answer.set()
        server.stop(0).wait()


def threads_checking(client: Client, count: int) -> list[Verdict]:
    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(lambda _: client.check(key="k", ip=INSIDE), range(count)))


async def tasks_checking(address: str, count: int, **options: Any) -> list[Verdict]:
    async with AsyncClient(address, token="t", **options) as client:
        return await asyncio.gather(*(client.check(key="k", ip=INSIDE) for _ in range(count)))


def test_tasks_of_one_turn_ask_together() -> None:
    """One alone asks by Authorize, several by BatchAuthorize, and many by several batches."""
    with hanging() as (servicer, address):
        for count, asked in ((1, [1]), (2, [2]), (64, [64]), (1200, [200, 500, 500])):
            servicer.asked.clear()
            verdicts = asyncio.run(tasks_checking(address, count, timeout=PATIENT))
            assert all(verdicts)
            assert len(verdicts) == count
            assert sorted(servicer.asked) == asked


def test_threads_ask_together_while_others_wait() -> None:
    """Many fewer calls than questions; every thread has its own answer."""
    with hanging() as (servicer, address), Client(address, token="t", timeout=PATIENT) as client:
        assert threads_checking(client, 1)[0]
        assert servicer.asked == [1]
        for _ in range(5):
            assert all(threads_checking(client, 64))
        assert sum(servicer.asked) == 1 + 5 * 64
        assert len(servicer.asked) < 1 + 5 * 64 / 2


def test_a_call_in_flight_holds_up_no_other_thread() -> None:
    """A question that finds a slow call in flight is asked separately, soon."""
    with hanging() as (servicer, address), Client(address, token="t", timeout=PATIENT) as client:
        servicer.may_answer.clear()
        with ThreadPoolExecutor(3) as pool:
            pending = [pool.submit(client.check, key="k", ip=INSIDE) for _ in range(3)]
            eventually(lambda: sum(servicer.asked) == 3, "each question is asked")
            servicer.may_answer.set()
            assert all(task.result() for task in pending)


def test_a_server_that_does_not_answer_denies_all_who_wait() -> None:
    """Threads and tasks, whoever sent their questions."""
    with hanging() as (servicer, address):
        servicer.may_answer.clear()
        with Client(address, token="t", timeout=0.1) as client:
            verdicts = threads_checking(client, 8)
        verdicts += asyncio.run(tasks_checking(address, 8, timeout=0.1))
        assert not any(verdicts)
        assert {verdict.error.code.name for verdict in verdicts if verdict.error} == {
            "DEADLINE_EXCEEDED"
        }
        assert all(verdict.error for verdict in verdicts)


@pytest.mark.parametrize("results", [0, 1, 3])
def test_a_batch_with_other_results_than_questions_denies_all(results: int) -> None:
    """Nobody gets the answer to another question."""
    with hanging() as (servicer, address):
        servicer.results = results
        verdicts = asyncio.run(tasks_checking(address, 2, timeout=PATIENT))
        assert not any(verdicts)


def test_each_question_of_a_batch_has_its_own_answer(
    server: Server, client: Administrator, workspace: str
) -> None:
    """Also those that fail, as they would alone."""
    credentials = []
    for number in range(20):
        key = client.key(workspace, f"k{number}")
        name = f"l{number}"
        allow_list = client.allow_list(workspace, name, [f"192.0.2.{number}"], display_name=name)
        client.link(allow_list.name, key.api_key.name)
        credentials.append(key.credential)

    async def ask() -> list[Verdict]:
        async with AsyncClient(server.address, token=ROOT_TOKEN, timeout=PATIENT) as asking:
            return await asyncio.gather(
                *(
                    asking.check(key=key, ip=f"192.0.2.{last}")
                    for key in credentials
                    for last in range(20)
                ),
                asking.check(key=credentials[0], ip="nowhere"),
            )

    *verdicts, failed = asyncio.run(ask())
    for index, verdict in enumerate(verdicts):
        assert bool(verdict) is (index // 20 == index % 20)
    assert failed.error is not None
    assert failed.error.violations[0].field == "ip"


def test_a_task_that_gives_up_takes_no_answer_from_the_others() -> None:
    """Its question goes on without it."""

    async def ask(servicer: Hanging, address: str) -> None:
        async with AsyncClient(address, token="t", timeout=PATIENT) as client:
            servicer.may_answer.clear()
            first, second = (
                asyncio.create_task(client.check(key="k", ip=INSIDE)) for _ in range(2)
            )
            while not servicer.asked:
                await asyncio.sleep(0.01)
            first.cancel()
            servicer.may_answer.set()
            assert await second
            with pytest.raises(asyncio.CancelledError):
                await first

    with hanging() as (servicer, address):
        asyncio.run(ask(servicer, address))


def test_a_client_that_is_closed_denies_the_questions_in_flight() -> None:
    """A task that waits gets a verdict, and is not cancelled."""

    async def ask(servicer: Hanging, address: str, count: int) -> list[Verdict]:
        client = AsyncClient(address, token="t", timeout=PATIENT)
        servicer.asked.clear()
        servicer.may_answer.clear()
        pending = [asyncio.create_task(client.check(key="k", ip=INSIDE)) for _ in range(count)]
        while not servicer.asked:
            await asyncio.sleep(0.01)
        await client.close()
        return await asyncio.gather(*pending)

    with hanging() as (servicer, address):
        for count in (1, 3):
            verdicts = asyncio.run(ask(servicer, address, count))
            assert [str(verdict.error) for verdict in verdicts] == [
                "CANCELLED: the client is closed"
            ] * count


def test_a_client_belongs_to_one_event_loop_at_a_time(server: Server, credential: str) -> None:
    """Another one is denied, and the next one is served once the first is closed."""
    client = AsyncClient(server.address, token=ROOT_TOKEN, timeout=PATIENT)

    async def ask() -> Verdict:
        return await client.check(key=credential, ip=INSIDE)

    async def ask_in_two_loops() -> tuple[Verdict, Verdict]:
        return await ask(), await asyncio.to_thread(asyncio.run, ask())

    first, other = asyncio.run(ask_in_two_loops())
    assert first
    assert not other
    assert other.error is not None
    assert other.error.code.name == "FAILED_PRECONDITION"
    assert asyncio.run(ask())


def test_nobody_sees_the_question_of_others_in_a_traceback() -> None:
    """Each failure is of one question, and its frames hold no other key and no token."""

    def frames(error: BaseException | None) -> str:
        texts = []
        while error is not None:
            for frame, _ in traceback.walk_tb(error.__traceback__):
                texts.append(repr(frame.f_locals))
            error = error.__cause__ or error.__context__
        return " ".join(texts)

    async def ask(address: str) -> list[BaseException]:
        async with AsyncClient(address, token="the-token", timeout=0.1) as client:
            asked = (client.authorize(key=f"key-{number}", ip=INSIDE) for number in range(3))
            return list(await asyncio.gather(*asked, return_exceptions=True))  # type: ignore[arg-type]

    with hanging() as (servicer, address):
        servicer.may_answer.clear()
        errors = asyncio.run(ask(address))
    for number, error in enumerate(errors):
        shown = frames(error)
        assert f"key-{(number + 1) % 3}" not in shown
        assert "the-token" not in shown


def test_both_clients_have_the_same_words() -> None:
    """What is learned of one holds for the other."""

    def words(kind: type) -> dict[str, list[str]]:
        return {
            name: list(inspect.signature(member).parameters)
            for name, member in inspect.getmembers(kind, inspect.isfunction)
            if not name.startswith("_") or name == "__init__"
        }

    assert words(Client) == words(AsyncClient)


def test_no_failure_quotes_what_was_sent() -> None:
    """The text of an error that nobody foresaw may hold the token or the key."""
    assert "secret" not in str(client_errors.unexpected(ValueError("secret")))
