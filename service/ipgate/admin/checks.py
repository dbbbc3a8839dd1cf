"""Checks of admin requests; all violations are reported together."""

import secrets
from collections.abc import Sequence

from ipgate import cooperative
from ipgate.domain.addresses import BadRange, parse_range
from ipgate.domain.errors import MAX_VIOLATIONS, InvalidArgument, Violation, Violations
from ipgate.domain.intervals import STEP, Steps, coverage, in_order
from ipgate.domain.names import id_violations

BROAD = 1 << 24
"""A list that covers more addresses than this needs `allow_broad`."""


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


async def parse_ranges(field: str, texts: Sequence[str], violations: Violations) -> list[int]:
    """Return the ranges, packed, in order, without duplicates.

    Adds to `violations` for each bad one.
    """
    if not texts:
        violations.append(
            Violation(field, "is required; give at least one IPv4 address or CIDR range")
        )
    packed = await cooperative.run(_parsed(field, texts, violations))
    return await cooperative.run(in_order(list(packed)))


def _parsed(field: str, texts: Sequence[str], violations: Violations) -> Steps[set[int]]:
    packed: set[int] = set()
    for index, text in enumerate(texts):
        # A bad entry takes several times as long as a good one.
        if not index % (STEP // 8 if violations else STEP):
            yield
        try:
            packed.add(parse_range(text))
        except BadRange as error:
            if len(violations) < MAX_VIOLATIONS:
                violations.append(Violation(f"{field}[{index}]", str(error)))
            else:
                violations.unlisted += 1
    return packed


async def check_breadth(field: str, ordered: Sequence[int], *, allow_broad: bool) -> int:
    """Return how many addresses sorted ranges cover.

    Raises: InvalidArgument if they are too many.
    """
    span = await cooperative.run(coverage(ordered))
    if span > BROAD and not allow_broad:
        text = (
            f"the ranges cover {span:,} addresses together, more than {BROAD:,}; "
            "narrow them, or set allow_broad if that is what you want"
        )
        raise InvalidArgument.of(field, text, reason="LIST_TOO_BROAD")
    return span
