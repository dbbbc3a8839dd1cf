"""Clients that decide without a server, by ipgate's own rules for the keys that a test gives them."""

import time
from dataclasses import dataclass

import grpc
from ipgate.domain.addresses import format_range, parse_address, parse_range
from ipgate.domain.decision import Compiled, Lists, decide
from ipgate.domain.intervals import Intervals, compile_list
from ipgate.v1.authorize_pb2 import AuthorizeRequest, AuthorizeResponse, Reason

from ipgate_client.async_client import AsyncClient
from ipgate_client.client import Client
from ipgate_client.errors import CallFailed, closed
from ipgate_client.questions import Result

_WORKSPACE = "workspaces/test"


@dataclass(frozen=True, slots=True)
class _Key:
    name: str
    lists: Lists
    report_only: bool
    disabled: bool
    expire_time: int | None = None


@dataclass(frozen=True, slots=True)
class _List:
    intervals: Intervals


@dataclass(frozen=True, slots=True)
class _Workspace:
    require_allow_list: bool = False
    default: Compiled | None = None
    default_report_only: bool = False


class _Fake:
    """API keys by their credentials. Any other one is unknown."""

    def __init__(self) -> None:
        self._keys: dict[str, _Key] = {}
        self._failure: CallFailed | None = None

    def allow(
        self, key: str, *ranges: str, report_only: bool = False, disabled: bool = False
    ) -> None:
        """Let a key be used from CIDR ranges, or from everywhere without any. Raises ValueError for bad ranges."""
        name = f"{_WORKSPACE}/apiKeys/k{len(self._keys) + 1}"
        lists: tuple[Compiled, ...] = ()
        if ranges:
            list_name = f"{_WORKSPACE}/allowLists/l{len(self._keys) + 1}"
            packed = [parse_range(text) for text in ranges]
            lists = (_List(_compiled(list_name, packed)),)
        self._keys[key] = _Key(name, lists, report_only, disabled)

    def fail(self, code: grpc.StatusCode = grpc.StatusCode.UNAVAILABLE) -> None:
        """Let every question fail, until `recover`."""
        self._failure = CallFailed(code, "the test wants it")

    def recover(self) -> None:
        self._failure = None

    def _named(self, name: str) -> _Key | None:
        return next((key for key in self._keys.values() if key.name == name), None)

    def _answer(self, request: AuthorizeRequest) -> Result:
        if self._failure is not None:
            return self._failure
        if request.HasField("forwarded"):
            return CallFailed(
                grpc.StatusCode.UNIMPLEMENTED, "a fake has no trusted proxies; give ip"
            )
        try:
            address = parse_address(request.ip)
        except ValueError:
            return CallFailed(
                grpc.StatusCode.INVALID_ARGUMENT, f"ip: {request.ip!r} is not an IP address"
            )
        key = self._keys.get(request.key) or self._named(request.api_key)
        if key is None:
            return AuthorizeResponse(reason=Reason.REASON_KEY_UNKNOWN)
        decision = decide(key, _Workspace(), address, time.time_ns)
        return AuthorizeResponse(
            allowed=decision.allowed,
            reason=f"REASON_{decision.reason.value}",
            api_key=key.name,
            allow_list=decision.allow_list,
            range="" if decision.range is None else format_range(decision.range),
            report_only=decision.report_only,
        )


class FakeClient(_Fake, Client):
    """A Client without a server."""

    def __init__(self) -> None:
        _Fake.__init__(self)
        Client.__init__(self, "fake", token="fake")  # noqa: S106

    def _ask(self, request: AuthorizeRequest, _timeout: float | None) -> Result:
        return closed() if self._is_closed else self._answer(request)


class FakeAsyncClient(_Fake, AsyncClient):
    """An AsyncClient without a server."""

    def __init__(self) -> None:
        _Fake.__init__(self)
        AsyncClient.__init__(self, "fake", token="fake")  # noqa: S106

    async def _ask(self, request: AuthorizeRequest, _timeout: float | None) -> Result:
        return closed() if self._is_closed else self._answer(request)


def _compiled(name: str, ranges: list[int]) -> Intervals:
    steps = compile_list(name, ranges)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            intervals: Intervals = end.value
            return intervals
