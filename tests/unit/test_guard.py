"""What stands before every method."""

from typing import Any

import pytest
from ipgate.domain.errors import InvalidArgument
from ipgate.domain.resources import ROOT
from ipgate.rpc.guard import Method, RequestSizes
from ipgate.v1 import authorize_pb2 as authorize


class Known:
    """Takes every caller for root."""

    def at_once(self, _authorization: str) -> Any:
        return ROOT


@pytest.mark.parametrize(
    ("fault", "told"), [(RuntimeError("a bug"), True), (InvalidArgument.of("ip", "is none"), False)]
)
def test_no_fault_of_the_short_way_gets_out_of_it(
    caplog: pytest.LogCaptureFixture, fault: Exception, told: bool
) -> None:
    """The long way answers in its place, with a status; only a fault of ipgate itself is logged."""

    def failing(_raw: bytes, _caller: object) -> bytes:
        raise fault

    known: Any = Known()
    name = "ipgate.v1.AuthorizeService/Authorize"
    method = Method(name, known, authorize.AuthorizeRequest, known, failing, sizes=RequestSizes())
    assert method.answer_at_once is not None
    assert method.answer_at_once("Bearer x", b"") is None
    assert ("the short way failed" in caplog.text) == told
