"""What the store says about the resources that decide, as read at one position of its history."""

from dataclasses import dataclass
from typing import NamedTuple

from ipgate.domain.validity import Validity


class PreviousCredential(NamedTuple):
    """The credential that an API key had before a rotation: its SHA-256, and the end of its use in ns since 1970."""

    digest: bytes
    expire_time: int


@dataclass(frozen=True, slots=True)
class KeyFacts:
    """`digest`: SHA-256 of the credential.

    `expire_time`: ns since 1970, None for never. `lists`: ids of the linked allow lists, sorted. `previous`: None
    without a rotation; its end may have passed.
    """

    digest: bytes
    disabled: bool
    expire_time: int | None
    lists: tuple[str, ...]
    report_only: bool = False
    previous: PreviousCredential | None = None


@dataclass(frozen=True, slots=True)
class WorkspaceFacts:
    """`default_list`: id of the default allow list, "" while the default is off."""

    require_allow_list: bool
    default_list: str
    default_report_only: bool = False


@dataclass(frozen=True, slots=True)
class ListFacts:
    """`ranges`: packed, in no order, without duplicates.

    `valid`: when those of them count that do not always count. `linked`: how many API keys are linked to the list.
    """

    etag: str
    ranges: list[int]
    valid: dict[int, Validity]
    linked: int
