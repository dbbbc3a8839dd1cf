"""What can be wrong with a store, and the remedy for each problem."""

from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

_COPY = "restore the store from a backup, or export it and import that into a new one"


class Remedy(NamedTuple):
    """`text`: what `--fix` does if the remedy `is_automatic`, otherwise what the operator should do."""

    is_automatic: bool
    text: str


class Problem(Enum):
    """`docs/operations.md` lists them."""

    UNKNOWN_KEY = Remedy(False, "find out what wrote it; delete it by hand if nobody needs it")
    WRONG_TYPE = Remedy(False, "find out what wrote it; restore the store from a backup")
    WRONG_SHARD = Remedy(False, "it is never read; find out what wrote it, and delete it by hand")
    BAD_META = Remedy(False, _COPY)
    BAD_HISTORY = Remedy(False, _COPY + "; until then servers may load everything again")
    OLD_SCHEMA = Remedy(False, "start a server of this version: it upgrades the store")
    INCOMPLETE_IMPORT = Remedy(False, "run ipgate import again, with --restart")
    BAD_FIELD = Remedy(False, "update the resource with a valid value; else " + _COPY)
    NOT_INDEXED = Remedy(True, "it is added to the index")
    STALE_INDEX = Remedy(True, "it is removed from the index")
    DANGLING = Remedy(False, "what it belongs to is lost; restore it from a backup")
    MAY_EVICT = Remedy(
        False, "set maxmemory-policy noeviction: a missing key could open an API key"
    )
    BAD_ROOT = Remedy(False, "make a new root token: ipgate token reset-root")
    NAME_TAKEN = Remedy(
        False, "give one of the two lists another display name, and run doctor with --fix"
    )
    BAD_DEFAULT = Remedy(False, "set another default list, or switch the default off")
    BAD_RANGES = Remedy(
        False, "give the list all its ranges again: ipgate list update --reset-attributes"
    )
    MISSING_LIST = Remedy(
        False,
        "no address is in it; free its name with --fix and create the list again with its ranges, or "
        "delete the key",
    )
    ONE_SIDED_LINK = Remedy(
        False, "the link is not in force; link again, and then unlink if need be"
    )
    ORPHANED_ENTRY = Remedy(True, "the index entry is removed: no key stands behind it")
    NO_ENTRY = Remedy(True, "the index entry is put back, and the credential announced")
    DUPLICATE_CREDENTIAL = Remedy(
        False, "another key has the same credential; delete one of the two"
    )
    INCOMPLETE_CREATION = Remedy(True, "the remains of an interrupted creation are removed")
    INCOMPLETE_DELETION = Remedy(True, "the remains of an interrupted deletion are removed")
    ORPHANED_NAME = Remedy(True, "the name is freed: no list has it")
    ORPHANED_TOKEN = Remedy(True, "the token is revoked: it works for no workspace that there is")


@dataclass(frozen=True, slots=True)
class Finding:
    """Something wrong with a Redis key, or with one `member` of it.

    `facts`: what was read; the repair changes nothing if the store says otherwise by then.
    """

    key: str
    problem: Problem
    detail: str
    member: str = ""
    facts: tuple[str, ...] = ()
