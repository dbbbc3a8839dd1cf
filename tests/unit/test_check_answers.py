"""The answers to Envoy, encoded in parts."""

from hypothesis import given
from hypothesis import strategies as st
from ipgate.authorizer.authorizer import Verdict
from ipgate.domain.decision import Decision, Reason
from ipgate.domain.names import MAX_NAME
from ipgate.ext_authz.v3 import check_pb2
from ipgate.rpc.check_answers import check_out, key_missing_out

NAMES = st.text(st.characters(codec="ascii", min_codepoint=32), min_size=1, max_size=MAX_NAME)
VERDICTS = st.builds(
    Verdict,
    st.builds(
        Decision,
        allowed=st.booleans(),
        reason=st.sampled_from(Reason),
        allow_list=st.just("") | NAMES,
        report_only=st.booleans(),
    ),
    NAMES,
    NAMES,
)


@given(VERDICTS)
def test_an_answer_in_parts_says_what_the_verdict_says(verdict: Verdict) -> None:
    """OK only for what is allowed, with headers that replace those of the client or remove them."""
    response = check_pb2.CheckResponse.FromString(check_out(verdict))
    decision = verdict.decision
    metadata = dict(response.dynamic_metadata)
    assert metadata.pop("api_key") == verdict.api_key
    assert metadata.pop("allow_list", "") == decision.allow_list
    assert metadata == {"reason": decision.reason.value, "report_only": decision.report_only}
    if not decision.allowed:
        assert response.status.code == 7
        assert response.denied_response.status.code == 403
        assert response.denied_response.body == '{"detail":"Forbidden"}'
        return
    assert response.HasField("status")
    assert response.status.code == 0
    headers = {option.header.key: option.header.value for option in response.ok_response.headers}
    assert headers.pop("x-ipgate-api-key") == verdict.api_key
    assert headers.pop("x-ipgate-reason") == decision.reason.value
    assert headers.pop("x-ipgate-allow-list", "") == decision.allow_list
    assert not headers
    assert {option.append_action for option in response.ok_response.headers} == {2}
    removed = [] if decision.allow_list else ["x-ipgate-allow-list"]
    assert list(response.ok_response.headers_to_remove) == removed


def test_an_unknown_key_has_no_name_in_the_answer() -> None:
    """As a denial without an address has none."""
    for reason in (Reason.KEY_UNKNOWN, Reason.NO_CLIENT_ADDRESS):
        encoded = check_out(Verdict(Decision(False, reason), "", ""))
        response = check_pb2.CheckResponse.FromString(encoded)
        assert dict(response.dynamic_metadata) == {"reason": reason.value, "report_only": False}
        assert response.status.code == 7


def test_a_missing_key_is_a_denial_of_the_status_that_is_set() -> None:
    """A 401 asks for the key."""
    for status, code, challenge in ((403, 7, {}), (401, 16, {"www-authenticate": "ApiKey"})):
        response = check_pb2.CheckResponse.FromString(key_missing_out(status, "ApiKey"))
        assert response.status.code == code
        assert response.denied_response.status.code == status
        headers = {
            option.header.key: option.header.value for option in response.denied_response.headers
        }
        assert headers == {"content-type": "application/json"} | challenge
        assert response.dynamic_metadata["reason"] == "KEY_MISSING"
