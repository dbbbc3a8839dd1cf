"""Checks of admin requests; all violations are reported together."""

import secrets
from collections.abc import Sequence

from ipgate.domain.errors import InvalidArgument, Violation
from ipgate.domain.names import id_violations


def new_id(kind: str, field: str, chosen: str, violations: list[Violation]) -> str:
    """Return the chosen id, or a minted one.

    Adds to `violations` if it is not an id.
    """
    if not chosen:
        return f"{kind}-{secrets.token_hex(6)}"
    violations += id_violations(field, chosen)
    return chosen


def raise_if_invalid(violations: Sequence[Violation]) -> None:
    """Raise InvalidArgument if there are any violations."""
    if violations:
        raise InvalidArgument(violations, unlisted=getattr(violations, "unlisted", 0))
