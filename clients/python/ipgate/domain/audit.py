"""Events of the audit log: who changed what, and which calls were denied."""

from dataclasses import dataclass, field
from typing import NamedTuple

from ipgate.domain.resources import Range, Role
from ipgate.domain.writing import Affected, AttributeChange, Effect


class RangeChange(NamedTuple):
    """A range before and after a change; None if the list did not have it."""

    before: Range | None
    after: Range | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEvent:
    """`time`: ns since 1970, of the store's clock. `actor`: the id of an access token, or as in `Caller`.

    A change has a `revision`; `denied` counts the calls that were denied.
    """

    time: int
    actor: str
    role: Role
    peer: str
    request_id: str
    method: str
    resource: str = ""
    denied: int = 0
    revision: str = ""
    attributes: tuple[AttributeChange, ...] = ()
    effect: Effect = field(default_factory=Effect)
    ranges: tuple[RangeChange, ...] = ()
    """Up to 100 of the ranges that were added, changed or removed."""
    linked: Affected = field(default_factory=Affected)
    """API keys that were linked to the list."""
    unlinked: Affected = field(default_factory=Affected)
    """API keys that were unlinked from the list."""
    lists_added: Affected = field(default_factory=Affected)
    """Lists that the API key was linked to."""
    lists_removed: Affected = field(default_factory=Affected)
    """Lists that the API key was unlinked from."""
