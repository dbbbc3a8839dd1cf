"""Revisions and sealed tokens."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ipgate.domain.errors import InvalidArgument
from ipgate.domain.revision import Revision, parse_revision, seal, unseal


@given(st.integers(0, 15), st.integers(0, 2**64 - 1), st.integers(0, 10**15 - 1))
def test_a_revision_survives_its_token(shard: int, epoch: int, number: int) -> None:
    """A token is read back as the revision that it was made from."""
    revision = Revision(shard, f"{epoch:016x}", number, f"{epoch ^ 5:016x}")
    assert revision == parse_revision("r", revision.token())


@given(st.integers(0, 40), st.sampled_from("AZaz09-_"))
def test_a_tampered_token_is_refused(listen_address: int, other: str) -> None:
    """Changing a character of a token makes it invalid."""
    token = Revision(3, "0123456789abcdef", 42, "fedcba9876543210").token()
    listen_address %= len(token)
    tampered = token[:listen_address] + other + token[listen_address + 1 :]
    if tampered != token:
        with pytest.raises(InvalidArgument):
            parse_revision("r", tampered)


@pytest.mark.parametrize(
    "text",
    ["", "r1", "r1.1.0123456789abcdef.x.0123456789abcdef", "r1.16.0123456789abcdef.1.0123456789abcdef", "r1.-1.0123456789abcdef.1.0123456789abcdef",
     "r2.1.0123456789abcdef.1.0123456789abcdef", "r1.1.0123456789ABCDEF.1.0123456789abcdef", "r1.1.0123456789abcdef.1.0123456789abcdef\n", "p1 x y"],
)  # fmt: skip
def test_a_sealed_text_that_is_no_revision_is_refused(text: str) -> None:
    """A forger who can compute the seal still gets nothing but InvalidArgument."""
    with pytest.raises(InvalidArgument):
        parse_revision("r", seal(text))


@given(st.text(max_size=700))
def test_any_text_is_unsealed_or_refused(text: str) -> None:
    """No token makes unsealing fail in another way."""
    assert unseal(text) is None or seal(unseal(text) or "") == text
