"""Checks of the ranges in admin requests; all violations are reported together."""

from collections.abc import Sequence
from dataclasses import dataclass

from ipgate import cooperative
from ipgate.domain.addresses import BadRange, format_range, is_ipv6_range, parse_range
from ipgate.domain.errors import (
    InvalidArgument,
    NotFound,
    Violation,
    Violations,
    quoted,
)
from ipgate.domain.intervals import STEP, Coverage, Steps, coverage, in_order
from ipgate.domain.resources import Range
from ipgate.domain.text_validation import check_note
from ipgate.gc_untrack import untrack
from ipgate.store.workspaces import WorkspaceStore

BROAD = Coverage(addresses=1 << 24, blocks=1 << 32)
"""A list that covers more than this of IPv4 or of IPv6 needs `allow_broad`: 2^24 addresses, a /32."""


@dataclass(frozen=True, slots=True)
class RangeChecks:
    workspaces: WorkspaceStore

    async def parse(
        self, field: str, workspace: str, ranges: Sequence[Range], violations: Violations
    ) -> dict[int, Range]:
        """Return the ranges in canonical form by their packed forms, in order, without duplicates.

        Adds to `violations` for each bad one.
        """
        _require(field, ranges, violations)
        parsed = await cooperative.run(_parsed(field, ranges, violations))
        ordered = await cooperative.run(in_order(list(parsed)))
        if ordered and is_ipv6_range(ordered[-1]):
            await self._check_ipv6(field, workspace, ranges, violations)
        return await cooperative.run(_in_order_of(ordered, parsed))

    async def parse_texts(
        self, field: str, texts: Sequence[str], violations: Violations
    ) -> list[str]:
        """Return the canonical texts of ranges, in order, without duplicates."""
        _require(field, texts, violations)
        ranges = await cooperative.run(_ranges_of(texts))
        parsed = await cooperative.run(_parsed(field, ranges, violations, path=""))
        ordered = await cooperative.run(in_order(list(parsed)))
        return await cooperative.run(_texts_of(ordered, parsed))

    async def _check_ipv6(
        self, field: str, workspace: str, ranges: Sequence[Range], violations: Violations
    ) -> None:
        """Add violations if the workspace has IPv6 disabled; the change itself makes sure of it."""
        try:
            if (await self.workspaces.get(workspace)).ipv6_enabled:
                return
        except NotFound:
            return
        for index, range_ in enumerate(ranges):
            if ":" in range_.cidr and _is_range(range_.cidr):
                text = (
                    f"{quoted(range_.cidr)} is IPv6, which the workspace has disabled; set ipv6_enabled of the "
                    "workspace, or leave it out"
                )
                violations.add(f"{field}[{index}].cidr", text)


async def check_breadth(field: str, ordered: Sequence[int], *, allow_broad: bool) -> Coverage:
    """Return what sorted ranges cover.

    Raises: InvalidArgument if that is too much.
    """
    covered = await cooperative.run(coverage(ordered))
    if not allow_broad:
        for count, most, what in (
            (covered.addresses, BROAD.addresses, "IPv4 addresses"),
            (covered.blocks, BROAD.blocks, "/64 blocks of IPv6"),
        ):
            if count > most:
                text = (
                    f"the ranges cover {count:,} {what} together, more than {most:,}; "
                    "narrow them, or set allow_broad if that is what you want"
                )
                raise InvalidArgument.of(field, text, reason="LIST_TOO_BROAD")
    return covered


def _in_order_of(ordered: Sequence[int], parsed: dict[int, Range]) -> Steps[dict[int, Range]]:
    ranges: dict[int, Range] = {}
    for first in range(0, len(ordered), STEP):
        ranges.update((packed, parsed[packed]) for packed in ordered[first : first + STEP])
        yield
    return ranges


def _require(field: str, ranges: Sequence[object], violations: Violations) -> None:
    if not ranges:
        text = "is required; give at least one IP address or CIDR range"
        violations.append(Violation(field, text))


def _parsed(
    field: str, ranges: Sequence[Range], violations: Violations, *, path: str = ".cidr"
) -> Steps[dict[int, Range]]:
    parsed: dict[int, Range] = {}
    for index, range_ in enumerate(ranges):
        # A bad entry takes several times as long as a good one.
        if not index % (STEP // 8 if violations else STEP // 2):
            yield
        at = f"{field}[{index}]"
        try:
            packed = parse_range(range_.cidr)
        except BadRange as error:
            violations.add(f"{at}{path}", error)
            continue
        if range_.note:
            for violation in check_note(f"{at}.note", range_.note):
                violations.add(violation.field, violation.description)
        if not range_.is_ever_valid():
            text = "is not after start_time, so the range would never count; set a later one"
            violations.add(f"{at}.expire_time", text)
        text = format_range(packed)
        canonical = range_
        if text != range_.cidr:
            canonical = range_._replace(cidr=text)
            untrack(canonical)
        if parsed.setdefault(packed, canonical) != canonical:
            text = f"{quoted(range_.cidr)} is there twice, with different attributes; send it once"
            violations.add(f"{at}{path}", text)
    return parsed


def _ranges_of(texts: Sequence[str]) -> Steps[list[Range]]:
    ranges = []
    for index, text in enumerate(texts):
        if not index % STEP:
            yield
        range_ = Range(text)
        untrack(range_)
        ranges.append(range_)
    return ranges


def _texts_of(ordered: Sequence[int], parsed: dict[int, Range]) -> Steps[list[str]]:
    texts = []
    for index, packed in enumerate(ordered):
        if not index % STEP:
            yield
        texts.append(parsed[packed].cidr)
    return texts


def _is_range(text: str) -> bool:
    try:
        parse_range(text)
    except BadRange:
        return False
    return True
