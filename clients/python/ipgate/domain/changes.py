"""The history of a shard: its changes, positions in it, and what a change invalidates."""

from dataclasses import dataclass
from enum import Enum


@dataclass(frozen=True, slots=True)
class Position:
    """A point in a shard's history: the change `sequence` of the store's life `epoch`.

    `change_id` is unique to the change. After a failover two histories may have different changes at the
    same sequence number; their ids differ.
    """

    epoch: str
    sequence: int
    change_id: str


class ChangeKind(Enum):
    """What a change is about.

    OTHER: written by a later version of ipgate, it may concern anything.
    """

    KEYS = "keys"
    TOKEN = "token"  # noqa: S105  a kind, not a secret
    WORKSPACE = "workspace"
    LIST = "list"
    LIST_TEXT = "list_text"
    LIST_DELETED = "list_deleted"
    OTHER = ""

    @classmethod
    def _missing_(cls, _value: object) -> "ChangeKind":
        return cls.OTHER


@dataclass(frozen=True, slots=True)
class Touched:
    """What a change made outdated, for everyone who keeps a copy.

    `everything` overrides the other fields. `settings`: what `workspace` says about its keys. `api_keys`:
    ids. `credential`, `token`: SHA-256 digests in hexadecimal. `list_ranges`, `list_text`, `deleted_list`:
    the id of an allow list, "" for none. A deleted list touches every key that was linked to it.
    """

    workspace: str = ""
    everything: bool = False
    settings: bool = False
    api_keys: tuple[str, ...] = ()
    credential: str = ""
    token: str = ""
    list_ranges: str = ""
    list_text: str = ""
    deleted_list: str = ""
    range_patches: str = ""
    """How the ranges of `list_ranges` changed, as `parse_patches` reads it; "" if they must be read again."""


@dataclass(frozen=True, slots=True)
class Change:
    """One change.

    It was made on top of the change `previous_id`.

    `ids`: of API keys or of one allow list, by `kind`. `digest`: of a credential or an access token.
    `ranges`: how those of a list changed (`Touched.range_patches`).
    """

    sequence: int
    previous_id: str
    change_id: str
    kind: ChangeKind
    workspace: str
    ids: tuple[str, ...]
    digest: str
    ranges: str

    def touched(self) -> Touched:
        """Return what the change made outdated: the one place that decides what a change means."""
        workspace, first = self.workspace, self.ids[0] if self.ids else ""
        match self.kind:
            case ChangeKind.KEYS:
                return Touched(workspace, api_keys=self.ids, credential=self.digest)
            case ChangeKind.TOKEN:
                return Touched(token=self.digest)
            case ChangeKind.WORKSPACE:
                return Touched(workspace, settings=True)
            case ChangeKind.LIST:
                return Touched(workspace, list_ranges=first, range_patches=self.ranges)
            case ChangeKind.LIST_TEXT:
                return Touched(workspace, list_text=first)
            case ChangeKind.LIST_DELETED:
                return Touched(workspace, settings=True, deleted_list=first)
            case ChangeKind.OTHER:
                return Touched(everything=True)
