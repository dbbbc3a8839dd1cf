"""Revisions: opaque tokens for a point in the history of changes of one shard."""

import hashlib
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as NotBase64
from dataclasses import dataclass

from ipgate.domain.errors import InvalidArgument
from ipgate.domain.shards import SHARDS

_CHECK_BYTES = 6
_MAX_TOKEN = 4096
_TOKEN = re.compile(r"r1\.([0-9]{1,2})\.([0-9a-f]{16})\.([0-9]{1,15})\.([0-9a-f]{16})")


@dataclass(frozen=True, slots=True)
class Revision:
    """A position in the history of `shard` (`changes.Position`), as clients see it."""

    shard: int
    epoch: str
    sequence: int
    change_id: str

    def token(self) -> str:
        return seal(f"r1.{self.shard}.{self.epoch}.{self.sequence}.{self.change_id}")


def parse_revision(field: str, token: str) -> Revision:
    """Return the revision that a token stands for.

    Raises: InvalidArgument if ipgate did not make it.
    """
    match = _TOKEN.fullmatch(unseal(token) or "")
    if not match or int(match[1]) >= SHARDS:
        raise InvalidArgument.of(field, "is not a revision; send one as a change returned it")
    return Revision(int(match[1]), match[2], int(match[3]), match[4])


def seal(text: str) -> str:
    """`text` as an opaque token with a checksum, so that a damaged token is noticed."""
    raw = text.encode()
    return urlsafe_b64encode(_check(raw) + raw).rstrip(b"=").decode()


def unseal(token: str) -> str | None:
    """Return the text of a sealed token; None if it is not one."""
    if len(token) > _MAX_TOKEN:
        return None
    try:
        raw = urlsafe_b64decode(token.encode("ascii") + b"=" * (-len(token) % 4))
        text = raw[_CHECK_BYTES:].decode()
    except (ValueError, NotBase64):
        return None
    return text if seal(text) == token else None


def _check(raw: bytes) -> bytes:
    return hashlib.blake2s(raw, digest_size=_CHECK_BYTES, person=b"ipgate").digest()
