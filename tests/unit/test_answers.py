"""The answers of AuthorizeService, encoded in parts."""

import gc
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from ipgate.authorizer.authorizer import Verdict
from ipgate.domain.addresses import IPV6, format_address, format_range
from ipgate.domain.decision import Decision, Reason
from ipgate.domain.names import MAX_NAME
from ipgate.rpc.answers import batch_out, verdict_out
from ipgate.v1 import authorize_pb2 as authorize

NAMES = st.text(st.characters(codec="utf-8"), max_size=MAX_NAME // 4)
RANGES = st.none() | st.integers(0, 2**32 - 1).map(lambda address: address << 8 | 32)
ADDRESSES = st.none() | st.integers(0, 2**32 - 1) | st.integers(IPV6, 2 * IPV6 - 1)
DECISIONS = st.builds(Decision, st.booleans(), st.sampled_from(Reason), NAMES, RANGES)


@given(DECISIONS, NAMES, NAMES, ADDRESSES)
def test_an_answer_in_parts_is_the_answer_as_a_message(
    decision: Decision, key: str, revision: str, address: int | None
) -> None:
    """The bytes of an answer, put together from remembered parts, decode to that very answer."""
    said = authorize.AuthorizeResponse.FromString(
        verdict_out(Verdict(decision, key, revision, address))
    )
    assert said == authorize.AuthorizeResponse(
        allowed=decision.allowed,
        reason=f"REASON_{decision.reason.value}",
        api_key=key,
        allow_list=decision.allow_list,
        range="" if decision.range is None else format_range(decision.range),
        revision=revision,
        report_only=decision.report_only,
        address="" if address is None else format_address(address),
    )


def test_what_is_remembered_of_answers_prolongs_no_garbage_collection() -> None:
    """After thousands of different answers the collector has no more objects to look at."""
    gc.collect()
    before = len(gc.get_objects())
    for address in range(5000):
        decision = Decision(
            True, Reason.LINKED_LIST_MATCH, "workspaces/w/allowLists/l", address << 8 | 32
        )
        verdict_out(Verdict(decision, "workspaces/w/apiKeys/k", "1-1-1", None))
    gc.collect()
    assert len(gc.get_objects()) < before + 100


ERRORS = st.builds(authorize.Error, code=st.integers(0, 16), message=NAMES)


@given(st.lists(st.builds(Verdict, DECISIONS, NAMES, NAMES, ADDRESSES) | ERRORS, max_size=20))
def test_a_batch_in_parts_is_the_batch_as_a_message(results: list[Any]) -> None:
    """The bytes of a batch of answers and errors decode to them, in their order."""
    wanted = [
        authorize.BatchAuthorizeResult(
            response=authorize.AuthorizeResponse.FromString(verdict_out(result))
        )
        if isinstance(result, Verdict)
        else authorize.BatchAuthorizeResult(error=result)
        for result in results
    ]
    said = authorize.BatchAuthorizeResponse.FromString(batch_out(results))
    assert said == authorize.BatchAuthorizeResponse(results=wanted)
