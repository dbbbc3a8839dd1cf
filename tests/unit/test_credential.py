"""Minted secrets and their digests."""

import hashlib

from hypothesis import given
from hypothesis import strategies as st
from ipgate.domain.credential import (
    ACCESS_TOKEN_PREFIX,
    API_KEY_PREFIX,
    digest,
    has_bad_checksum,
    mint,
)

RANDOM = st.binary(min_size=32, max_size=32)


@given(RANDOM)
def test_a_minted_secret_is_known_by_its_digest(random: bytes) -> None:
    """The digest of a minted secret is its SHA-256."""
    secret = mint(API_KEY_PREFIX, random)
    assert hashlib.sha256(secret.encode()).digest() == digest(secret)
    assert len(secret) == 4 + 43 + 8
    assert len(mint(ACCESS_TOKEN_PREFIX, random)) == 5 + 43 + 8


@given(RANDOM, st.integers(4, 54), st.sampled_from("0aZ-"))
def test_a_mistyped_secret_is_unknown_without_a_look_up(
    random: bytes, listen_address: int, other: str
) -> None:
    """Changing one character of a minted secret makes it no secret at all."""
    secret = mint(API_KEY_PREFIX, random)
    mistyped = secret[:listen_address] + other + secret[listen_address + 1 :]
    assert mistyped == secret or has_bad_checksum(mistyped)
    assert has_bad_checksum(secret[:-1])
    assert has_bad_checksum(secret + "0")
    assert not has_bad_checksum(secret)


def test_distinct_random_bits_give_distinct_secrets() -> None:
    """No bit of the randomness is lost in the writing."""
    secrets = {mint(API_KEY_PREFIX, (1 << bit).to_bytes(32, "big")) for bit in range(256)}
    assert len(secrets) == 256


def test_a_foreign_credential_is_known_by_its_digest_up_to_its_longest() -> None:
    """Credentials that ipgate did not mint need no form; empty and over-long ones are unknown."""
    assert digest("s3cret") == hashlib.sha256(b"s3cret").digest()
    assert digest("x" * 1024) is not None
    assert digest("x" * 1025) is None
    assert digest("é" * 513) is None
    assert digest("") is None
