"""The answers of AuthorizeService, encoded in parts."""

from hypothesis import given
from hypothesis import strategies as st
from ipgate.domain.addresses import format_range
from ipgate.domain.decision import Decision, Reason
from ipgate.rpc.convert import verdict_out
from ipgate.v1 import authorize_pb2 as authorize

NAMES = st.text(st.characters(codec="utf-8"), max_size=200)
RANGES = st.none() | st.integers(0, 2**32 - 1).map(lambda address: address << 6 | 32)
DECISIONS = st.builds(Decision, st.booleans(), st.sampled_from(Reason), NAMES, RANGES)


@given(DECISIONS, NAMES, NAMES)
def test_an_answer_in_parts_is_the_answer_as_a_message(
    decision: Decision, key: str, revision: str
) -> None:
    """The bytes of an answer, put together from remembered parts, decode to that very answer."""
    said = authorize.AuthorizeResponse.FromString(verdict_out((decision, key, revision)))
    assert said == authorize.AuthorizeResponse(
        allowed=decision.allowed,
        reason=f"REASON_{decision.reason.value}",
        api_key=key,
        allow_list=decision.allow_list,
        range="" if decision.range is None else format_range(decision.range),
        revision=revision,
    )
