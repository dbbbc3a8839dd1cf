"""The resources as the use cases see them.

Times are ns since 1970; `revision` is a token.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Generic, NamedTuple, TypeVar

from ipgate.domain.validity import Validity, validity

T = TypeVar("T")

MIN_TIME, MAX_TIME = -62135596800 * 10**9, 253402300800 * 10**9 - 1
"""The instants that a resource may carry: the years 1 to 9999."""


class Access(Enum):
    """How an API key is judged now."""

    LISTS = "LISTS"
    DEFAULT = "DEFAULT"
    UNRESTRICTED = "UNRESTRICTED"
    CLOSED = "CLOSED"


class Role(Enum):
    """What a caller may do.

    Root is the bootstrap token and no role of an access token.
    """

    ROOT = "ROOT"
    WORKSPACE_ADMIN = "WORKSPACE_ADMIN"
    WORKSPACE_VIEWER = "WORKSPACE_VIEWER"
    AUTHORIZER = "AUTHORIZER"

    # There is one object for each member; hashing it by its name would run Python code.
    __hash__ = object.__hash__


def stored_role(text: str) -> Role:
    """Return the role of an access token.

    Raises: ValueError for any other text, root's role included.
    """
    role = Role(text)
    if role is Role.ROOT:
        raise ValueError("an access token cannot be root")
    return role


class Caller(NamedTuple):
    """Who calls: the bearer of an access token.

    `workspace`: id of the one it is confined to, "" for all. `expire_time`: ns since 1970, None for never.
    """

    token: str
    role: Role
    workspace: str = ""
    expire_time: int | None = None


ROOT = Caller("<root>", Role.ROOT)
"""The caller with the root token, marked by what is no token's id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceMeta:
    """What the store adds to a resource; all empty on one that is not stored yet."""

    create_time: int | None = None
    update_time: int | None = None
    etag: str = ""
    revision: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Workspace:
    id: str
    display_name: str = ""
    require_allow_list: bool = False
    default_enabled: bool = False
    default_list: str = ""
    default_report_only: bool = False
    ipv6_enabled: bool = False
    meta: ResourceMeta = field(default_factory=ResourceMeta)


class Range(NamedTuple):
    """One entry of an allow list; `cidr` is canonical text where it was read from the store."""

    cidr: str
    note: str = ""
    start_time: int | None = None
    expire_time: int | None = None
    disabled: bool = False

    def valid(self) -> Validity:
        """Return when the range counts."""
        return validity(self.start_time, self.expire_time, disabled=self.disabled)

    def is_ever_valid(self) -> bool:
        """Return whether it expires after its start, if it does both."""
        if self.start_time is None or self.expire_time is None:
            return True
        return self.start_time < self.expire_time

    def is_loosened(self, former: "Range") -> bool:
        """Return whether it lost an expiry or an off switch that it had before."""
        lost_expiry = former.expire_time is not None and self.expire_time is None
        return lost_expiry or (former.disabled and not self.disabled)


@dataclass(frozen=True, slots=True, kw_only=True)
class AllowList:
    """`ranges` are in numeric order; `ranges_omitted`: only their count was read."""

    workspace: str
    id: str
    display_name: str = ""
    description: str = ""
    ranges: Sequence[Range] = ()
    ranges_omitted: bool = False
    range_count: int = 0
    linked_api_key_count: int = 0
    meta: ResourceMeta = field(default_factory=ResourceMeta)


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """`lists`: ids of the linked lists, sorted.

    `access` is None on a key that is not stored. `previous_credential_expire_time`: until when the credential works
    that the key had before a rotation, None if there is none.
    """

    workspace: str
    id: str
    display_name: str = ""
    disabled: bool = False
    report_only: bool = False
    expire_time: int | None = None
    previous_credential_expire_time: int | None = None
    lists: tuple[str, ...] = ()
    access: Access | None = None
    meta: ResourceMeta = field(default_factory=ResourceMeta)


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessToken:
    """`workspace` is the id of the one it works for, "" for all."""

    id: str
    role: Role
    display_name: str = ""
    workspace: str = ""
    expire_time: int | None = None
    create_time: int | None = None
    revision: str = ""


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """A page of a listing.

    `next_after` is the id, or another text, to go on after, "" on the last page. `total`: how many items the listing has
    without filters, 0 if it was not counted.
    """

    items: tuple[T, ...]
    next_after: str = ""
    total: int = 0
