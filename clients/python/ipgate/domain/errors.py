"""The error tree.

`rpc/status.py` has the one table that turns it into gRPC statuses.

Every message is meant for the caller: it names the field, the value, the reason and the way out,
and never a credential or token.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from ipgate.domain.characters import readable

MAX_VIOLATIONS = 100
"""Violations that are reported of one request, at most (docs/errors.md)."""

_SHOWN = 80
_SEARCHED = 500
_NAMED = 10
_LONGEST_NAME = 160
_SECRET = re.compile("(ipgt?_)[0-9A-Za-z]+|(://)[^/@\\s]*@")


def _mask(secret: re.Match[str]) -> str:
    """Return what is shown instead of a minted secret, or of the user and password of a URL."""
    return f"{secret[1]}…" if secret[1] else f"{secret[2]}…@"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{readable(escaped)}'"


def quoted(value: str) -> str:
    """Return `value` quoted for an error or a log.

    The result is one line of at most 80 characters, without invisible ones, and without a minted secret that
    somebody put into the wrong field.
    """
    # Cut first: a text of megabytes must not be searched. A secret that is cut stays hidden.
    masked = _SECRET.sub(_mask, value[:_SEARCHED])
    if len(masked) <= _SHOWN and len(value) <= _SEARCHED:
        return _quoted(masked)
    return _quoted(masked[:_SHOWN]) + "…"


@dataclass(frozen=True, slots=True)
class Violation:
    """One thing wrong with a request: `field` is its path, `description` says what is wrong and how to fix it."""

    field: str
    description: str


class Violations(list[Violation]):
    """What is wrong with a request.

    `unlisted`: how many more there are that were only counted.
    """

    unlisted = 0

    def add(self, field: str, description: object) -> None:
        """Add a violation, or only count it; its text is made only in the first case."""
        if len(self) < MAX_VIOLATIONS:
            self.append(Violation(field, str(description)))
        else:
            self.unlisted += 1


class IpgateError(Exception):
    """An expected failure.

    `reason` is stable and machine readable; `docs/errors.md` lists all.
    """

    reason: str

    def __init__(self, message: str, *, reason: str = "", **metadata: str) -> None:
        super().__init__(message)
        self.message = message
        self.reason = reason or type(self).reason
        self.metadata = metadata


class InvalidArgument(IpgateError):
    """The request is malformed, whatever the state; all violations together."""

    reason = "INVALID_ARGUMENT"

    def __init__(
        self, violations: Sequence[Violation], *, unlisted: int = 0, reason: str = ""
    ) -> None:
        """`unlisted`: how many more there are that were only counted."""
        self.violations: Sequence[Violation] = violations[:MAX_VIOLATIONS]
        first = f"{violations[0].field}: {violations[0].description}"
        more = len(violations) - 1 + unlisted
        text = first if not more else f"{first} (and {more} more)"
        super().__init__(text, reason=reason)

    @classmethod
    def of(cls, field: str, description: str, *, reason: str = "") -> "InvalidArgument":
        return cls([Violation(field, description)], reason=reason)

    @classmethod
    def of_page_token(cls) -> "InvalidArgument":
        text = "is not a token of this listing; send one as the page before returned it"
        return cls.of("page_token", text)


class NotFound(IpgateError):
    """The resource does not exist, or the caller may not see it: the same error for both."""

    reason = "RESOURCE_NOT_FOUND"

    def __init__(self, *names: str) -> None:
        listed = ", ".join(quoted(name) for name in names[:_NAMED])
        more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
        super().__init__(f"not found: {listed}{more}", resource=names[0][:_LONGEST_NAME])


class AlreadyExists(IpgateError):
    """The id, the display name or the credential is taken."""

    reason = "RESOURCE_EXISTS"


class Conflict(IpgateError):
    """Another caller has changed the resource."""

    reason = "ETAG_MISMATCH"


class FailedPrecondition(IpgateError):
    """The state does not permit the change.

    `violations`: subject and description.
    """

    reason = "FAILED_PRECONDITION"

    def __init__(self, reason: str, violations: Sequence[Violation]) -> None:
        self.violations: Sequence[Violation] = violations[:MAX_VIOLATIONS]
        more = len(violations) - 1
        first = violations[0].description
        super().__init__(first if not more else f"{first} (and {more} more)", reason=reason)


class LimitExceeded(IpgateError):
    """A setting bounds how many there may be."""

    reason = "LIMIT_EXCEEDED"


class Unauthenticated(IpgateError):
    """No token, or not one that is known and valid."""

    reason = "UNAUTHENTICATED"


class PermissionDenied(IpgateError):
    """The token is valid; its role does not permit the method."""

    reason = "PERMISSION_DENIED"


class Unavailable(IpgateError):
    """ipgate cannot decide or change now.

    `retry_after`: when to try again, in seconds.
    """

    reason = "STORE_UNAVAILABLE"

    def __init__(
        self, message: str, *, reason: str = "", retry_after: float = 1.0, **metadata: str
    ) -> None:
        super().__init__(message, reason=reason, **metadata)
        self.retry_after = retry_after
