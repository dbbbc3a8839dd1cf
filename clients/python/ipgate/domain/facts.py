"""What the store says about the resources that decide, as read at one position of its history."""

from dataclasses import dataclass

from ipgate.domain.resources import Caller


@dataclass(frozen=True, slots=True)
class KeyFacts:
    """`digest`: SHA-256 of the credential.

    `expire_time`: ns since 1970, None for never. `lists`: ids of the linked allow lists, sorted.
    """

    digest: bytes
    disabled: bool
    expire_time: int | None
    lists: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class WorkspaceFacts:
    """`default_list`: id of the default allow list, "" while the default is off."""

    require_allow_list: bool
    default_list: str


@dataclass(frozen=True, slots=True)
class ListFacts:
    """`ranges`: packed, in no order, without duplicates.

    `linked`: how many API keys are linked to the list.
    """

    etag: str
    ranges: list[int]
    linked: int


@dataclass(frozen=True, slots=True)
class TokenFacts:
    """`expire_time`: ns since 1970, None for never."""

    caller: Caller
    expire_time: int | None
