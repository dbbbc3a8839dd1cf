"""What stands before every method."""

import asyncio
from typing import Any

import pytest
from google.rpc import code_pb2
from ipgate.domain.errors import InvalidArgument, Unauthenticated
from ipgate.domain.resources import ROOT
from ipgate.rpc.pipeline import CallAborted, Method, RequestSizes
from ipgate.v1 import authorize_pb2 as authorize

from tests.harness.in_process import Root

NAME = "ipgate.v1.AuthorizeService/Authorize"


class Known:
    """Takes every caller for root, from memory or after a look."""

    def __init__(self, *, held: bool = True) -> None:
        self._held = held

    def try_authenticate(self, _authorization: str) -> Any:
        return ROOT if self._held else None

    async def authenticate(self, authorization: str) -> Any:
        if authorization == "bad":
            raise Unauthenticated("no", reason="TOKEN_INVALID")
        return ROOT


def method(implementation: Any, *, held: bool = True) -> Method:
    authenticator: Any = Known(held=held)
    return Method(
        NAME, authenticator, authorize.AuthorizeRequest, implementation, sizes=RequestSizes()
    )


def answered(method: Method, raw: bytes = b"", authorization: str = "") -> bytes:
    info = Root()
    info.authorization = authorization

    async def run() -> bytes:
        answer = method.start(info, raw)
        return answer if isinstance(answer, bytes) else await answer

    return asyncio.run(run())


def immediately(_request: Any, _info: Any) -> Any:
    return b"answer"


async def later(_request: Any, _info: Any) -> Any:
    return b"answer"


@pytest.mark.parametrize("held", [True, False])
@pytest.mark.parametrize("implementation", [immediately, later])
def test_a_request_is_answered_however_its_answer_comes(implementation: Any, held: bool) -> None:
    """Synchronously or later, with a token that is known or one that is looked up."""
    assert answered(method(implementation, held=held)) == b"answer"


def test_what_is_in_memory_is_answered_synchronously() -> None:
    """No awaitable is made for a hit."""
    assert method(immediately).start(Root(), b"") == b"answer"


@pytest.mark.parametrize("held", [True, False])
@pytest.mark.parametrize(
    ("error", "code"),
    [
        (RuntimeError("a bug"), code_pb2.INTERNAL),
        (MemoryError(), code_pb2.INTERNAL),
        (InvalidArgument.of("ip", "is none"), code_pb2.INVALID_ARGUMENT),
    ],
)
@pytest.mark.parametrize("late", [True, False])
def test_every_error_ends_in_a_status(
    caplog: pytest.LogCaptureFixture, held: bool, error: Exception, code: int, late: bool
) -> None:
    """Only a fault of ipgate itself is logged."""

    async def fail_later(_request: Any, _info: Any) -> Any:
        raise error

    def fail(_request: Any, _info: Any) -> Any:
        raise error

    with pytest.raises(CallAborted) as failed:
        answered(method(fail_later if late else fail, held=held))
    assert failed.value.status.code == code
    assert ("unexpected error" in caplog.text) == (code == code_pb2.INTERNAL)


@pytest.mark.parametrize(
    ("raw", "authorization", "code"),
    [
        (b"\xff", "", code_pb2.INVALID_ARGUMENT),
        (bytes(9000), "", code_pb2.RESOURCE_EXHAUSTED),
        (b"", "bad", code_pb2.UNAUTHENTICATED),
    ],
)
def test_what_may_not_be_answered_reaches_no_method(
    raw: bytes, authorization: str, code: int
) -> None:
    """Malformed, too large, of a stranger."""

    def never(_request: Any, _info: Any) -> Any:
        raise AssertionError

    for held in (False,) if authorization else (True, False):
        with pytest.raises(CallAborted) as failed:
            answered(method(never, held=held), raw, authorization)
        assert failed.value.status.code == code
