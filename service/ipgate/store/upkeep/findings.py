"""What may be wrong with a store, and what is to be done about it."""

from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

_COPY = "restore the store from a backup, or export it and import that into a new one"


class Rule(NamedTuple):
    """`remedy`: what mending does where it can `mend`, else what the operator should do."""

    mend: bool
    remedy: str


class Problem(Enum):
    """`docs/operations.md` lists them."""

    UNKNOWN_KEY = Rule(False, "find out what wrote it; delete it by hand if nobody needs it")
    WRONG_TYPE = Rule(False, "find out what wrote it; restore the store from a backup")
    WRONG_SHARD = Rule(False, "it is never read; find out what wrote it, and delete it by hand")
    BAD_META = Rule(False, _COPY)
    BAD_HISTORY = Rule(False, _COPY + "; until then servers may load everything anew")
    IMPORT_CUT_OFF = Rule(False, "run ipgate import again, with --restart")
    BAD_FIELD = Rule(False, "update the resource with a valid value; else " + _COPY)
    NOT_INDEXED = Rule(True, "it is added to the index")
    DANGLING = Rule(False, "what it belongs to is lost; restore it from a backup")
    MAY_EVICT = Rule(False, "set maxmemory-policy noeviction: a missing key could open an API key")
    BAD_ROOT = Rule(False, "make a new root token: ipgate token reset-root")
    NAME_TAKEN = Rule(
        False, "give one of the two lists another display name, and run doctor with --mend"
    )
    BAD_DEFAULT = Rule(False, "set another default list, or switch the default off")
    BAD_RANGES = Rule(False, "give the list all its ranges anew: ipgate list update")
    LOST_LIST = Rule(
        False,
        "no address is in it; free its name with --mend and create the list again with its ranges, or "
        "delete the key",
    )
    HALF_LINKED = Rule(False, "the link is not in force; link again, and then unlink if need be")
    ORPHAN_ENTRY = Rule(True, "the index entry is removed: no key stands behind it")
    NO_ENTRY = Rule(True, "the index entry is put back, and the credential announced")
    TAKEN_ENTRY = Rule(False, "another key has the same credential; delete one of the two")
    CUT_OFF_CREATION = Rule(True, "what a creation that was cut off left behind is removed")
    CUT_OFF_DELETION = Rule(True, "what a deletion that was cut off left behind is removed")
    STRAY_NAME = Rule(True, "the name is freed: no list has it")
    STRAY_TOKEN = Rule(True, "the token is revoked: it works for no workspace that there is")


@dataclass(frozen=True, slots=True)
class Finding:
    """Something wrong with a Redis key, or with one `member` of it. `facts`: what was read, on
    which mending relies."""

    key: str
    problem: Problem
    detail: str
    member: str = ""
    facts: tuple[str, ...] = ()
