"""Secrets that ipgate mints, and the digests by which it knows them.

A minted secret is a prefix, 256 random bits in base 62, and a CRC-32 of both in hexadecimal. The
checksum lets a mistyped secret be turned away without a look-up; it is no protection.
"""

import hashlib
import zlib

_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_RANDOM_DIGITS = 43
_CHECKSUM_DIGITS = 8

API_KEY_PREFIX = "ipg_"
ACCESS_TOKEN_PREFIX = "ipgt_"  # noqa: S105  a prefix, not a secret
_PREFIXES = (API_KEY_PREFIX, ACCESS_TOKEN_PREFIX)
RANDOM_BYTES = 32
MAX_CREDENTIAL_BYTES = 1024


def mint(prefix: str, random: bytes) -> str:
    """Return a secret made of 32 `random` bytes."""
    body = prefix + _base62(int.from_bytes(random, "big"), _RANDOM_DIGITS)
    return body + _checksum(body)


def digest(secret: str) -> bytes | None:
    """SHA-256 of a presented secret; None if it is empty or too long to be one."""
    raw = secret.encode()
    if not raw or len(raw) > MAX_CREDENTIAL_BYTES:
        return None
    return hashlib.sha256(raw).digest()


def presented_digest(credential: str) -> bytes | None:
    """SHA-256 of a credential as an end client presented it; None if it cannot be one.

    A damaged one is unknown even if somebody registered the digest of such a text.
    """
    raw = credential.encode()
    if not raw or len(raw) > MAX_CREDENTIAL_BYTES:
        return None
    # As has_bad_checksum, in half the time.
    if credential.startswith(_PREFIXES) and raw[-_CHECKSUM_DIGITS:] != b"%08x" % zlib.crc32(
        raw[:-_CHECKSUM_DIGITS]
    ):
        return None
    return hashlib.sha256(raw).digest()


def has_bad_checksum(secret: str) -> bool:
    """Return whether a secret has the prefix of a minted one without its checksum: nobody has it."""
    if not secret.startswith(_PREFIXES):
        return False
    return _checksum(secret[:-_CHECKSUM_DIGITS]) != secret[-_CHECKSUM_DIGITS:]


def _checksum(body: str) -> str:
    return f"{zlib.crc32(body.encode()):0{_CHECKSUM_DIGITS}x}"


def _base62(number: int, digits: int) -> str:
    text = ""
    for _ in range(digits):
        number, digit = divmod(number, 62)
        text = _DIGITS[digit] + text
    return text
