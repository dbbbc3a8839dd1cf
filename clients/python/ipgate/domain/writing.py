"""What surrounds a change: the options of the call that asks for it, and what the change did."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, NamedTuple, TypeVar

from ipgate.domain.resources import Access, Caller, Role

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteOptions:
    """Made once for each call and passed whole into the script that makes the change.

    `etag`: the one that the resource must have, "" for any. `method`, `correlation_id` and `peer` name the call in
    logs and in the audit log; the id never deduplicates.
    """

    actor: Caller
    method: str
    correlation_id: str = ""
    peer: str = ""
    etag: str = ""
    validate_only: bool = False
    allow_broad: bool = False
    allow_unrestricted: bool = False
    force: bool = False

    def arguments(self) -> dict[str, Any]:
        """Return the options that a script looks at, without those that are not set."""
        options = {
            "etag": self.etag,
            "validate_only": self.validate_only,
            "allow_broad": self.allow_broad,
            "allow_unrestricted": self.allow_unrestricted,
            "force": self.force,
        }
        return {name: value for name, value in options.items() if value}


MAINTENANCE = WriteOptions(actor=Caller("<maintenance>", Role.ROOT), method="Maintenance")
"""For the changes that ipgate makes on its own: it completes and cleans up what others began."""


@dataclass(frozen=True, slots=True)
class Affected:
    """`count` ranges or API keys, and up to 100 of them: canonical text, or ids."""

    count: int = 0
    names: tuple[str, ...] = ()

    @classmethod
    def of(cls, names: Sequence[str]) -> "Affected":
        return cls(len(names), tuple(names[:100]))


class AttributeChange(NamedTuple):
    """An attribute of a resource with its values before and after a change; None if it had none."""

    attribute: str
    before: Any
    after: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """What a change does to the resource, its ranges and API keys (`Effect` in protos/ipgate/v1/admin.proto).

    `unlinked_access`: how API keys without an allow list are judged after the change; None if the
    change does not alter that.
    """

    ranges_added: Affected = field(default_factory=Affected)
    ranges_removed: Affected = field(default_factory=Affected)
    ranges_changed: Affected = field(default_factory=Affected)
    """Ranges of which an attribute changes."""
    ranges_loosened: Affected = field(default_factory=Affected)
    """Those of the changed ranges that lose an expiry or an off switch."""
    unlinked_keys: Affected = field(default_factory=Affected)
    """API keys that lose their last allow list."""
    unrestricted_keys: Affected = field(default_factory=Affected)
    """API keys that become usable from every address."""
    closed_keys: Affected = field(default_factory=Affected)
    """API keys that become denied from every address."""
    unlinked_access: Access | None = None
    attributes: tuple[AttributeChange, ...] = ()
    """Of the resource, if it is there before and after the change."""

    def arguments(self) -> dict[str, Any]:
        """Return what a script takes of the effect on ranges, which it does not compute itself."""
        affected = {
            "ranges_added": self.ranges_added,
            "ranges_removed": self.ranges_removed,
            "ranges_changed": self.ranges_changed,
            "ranges_loosened": self.ranges_loosened,
        }
        return {
            name: {"count": of.count, "names": of.names}
            for name, of in affected.items()
            if of.count
        }


@dataclass(frozen=True, slots=True)
class WriteResult(Generic[T]):
    """The changed resource, or the deleted one as it was last.

    `revision` is "" where the change was only validated.
    """

    resource: T
    effect: Effect
    revision: str
