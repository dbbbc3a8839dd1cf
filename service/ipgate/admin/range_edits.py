"""The ranges of a list before and after a change of them: texts with their stored values."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress

from ipgate.admin.checks import raise_if_invalid
from ipgate.domain.addresses import BadRange, parse_range
from ipgate.domain.errors import FailedPrecondition, Violation, Violations, quoted
from ipgate.domain.intervals import STEP, Steps, in_order
from ipgate.domain.resources import Range
from ipgate.domain.writing import Affected, Effect
from ipgate.store.schema import decode_range, encode_range
from ipgate.store.script_errors import missing_ranges, range_exists

Edit = Callable[[dict[str, str]], Steps[dict[str, str]]]
"""Makes the ranges of a list, with their stored values, out of those that it has."""


def recorded(
    touched: Sequence[str], before: Mapping[str, str], after: Mapping[str, str]
) -> Iterator[tuple[str, str | None, str | None]]:
    """Yield what the audit log holds of changed ranges, as `changed_ranges` in prelude.lua does."""
    size = 0
    for text in touched[:100]:
        values = before.get(text), after.get(text)
        size += len("".join([text, *(value or "" for value in values)]).encode())
        if size > 16_000:
            return
        yield text, *values


def encode_all(ranges: Mapping[int, Range]) -> Steps[dict[str, str]]:
    values: dict[str, str] = {}
    for index, range_ in enumerate(ranges.values()):
        if not index % STEP:
            yield
        values[range_.cidr] = encode_range(range_)
    return values


def parse_all(texts: Sequence[str]) -> Steps[list[int]]:
    packed: list[int] = []
    for first in range(0, len(texts), STEP):
        packed += map(parse_range, texts[first : first + STEP])
        yield
    return packed


def after_adding(before: dict[str, str], ranges: Mapping[int, Range]) -> Steps[dict[str, str]]:
    new = yield from encode_all(ranges)
    after = dict(before)
    differing = []
    for index, (text, value) in enumerate(new.items()):
        if not index % STEP:
            yield
        if after.setdefault(text, value) != value:
            differing.append(text)
    if differing:
        raise range_exists(differing)
    return after


def after_updating(
    before: dict[str, str], ranges: Mapping[int, Range], attributes: Sequence[str]
) -> Steps[dict[str, str]]:
    missing = []
    for index, range_ in enumerate(ranges.values()):
        if not index % STEP:
            yield
        if range_.cidr not in before:
            missing.append(range_.cidr)
    if missing:
        raise missing_ranges(missing)
    violations = Violations()
    after = dict(before)
    for index, range_ in enumerate(ranges.values()):
        if not index % (STEP // 8):
            yield
        changes = {name: getattr(range_, name) for name in attributes}
        changed = decode_range(range_.cidr, before[range_.cidr])._replace(**changes)
        if not changed.is_ever_valid():
            text = f"{quoted(range_.cidr)} would never count: its expire_time is not after its start_time"
            violations.add("ranges", f"{text}; change both")
        after[range_.cidr] = encode_range(changed)
    raise_if_invalid(violations)
    return after


def after_removing(before: dict[str, str], texts: Sequence[str]) -> Steps[dict[str, str]]:
    missing = []
    for index, text in enumerate(texts):
        if not index % STEP:
            yield
        if text not in before:
            missing.append(text)
    if missing:
        raise missing_ranges(missing)
    gone = set(texts)
    after = {}
    for index, (text, value) in enumerate(before.items()):
        if not index % STEP:
            yield
        if text not in gone:
            after[text] = value
    if not after:
        text = "no range would be left in the list; delete the list instead"
        raise FailedPrecondition("ALLOW_LIST_EMPTY", [Violation("ranges", text)])
    return after


def difference(before: dict[str, str], after: dict[str, str]) -> Steps[list[str]]:
    """Return the ranges that are in one of them only, or have another value, in numeric order."""
    touched: list[str] = []
    for one, other in ((before, after), (after, before)):
        for index, (text, value) in enumerate(one.items()):
            if not index % STEP:
                yield
            if text not in other or (one is after and other[text] != value):
                touched.append(text)
    # Ranges of a damaged list may be none.
    order: dict[int, str] = {}
    for index, text in enumerate(touched):
        if not index % STEP:
            yield
        try:
            order[parse_range(text)] = text
        except BadRange:
            order[-1 - index] = text
    return [order[range_] for range_ in (yield from in_order(list(order)))]


def effect_of(
    before: dict[str, str], after: dict[str, str], touched: Sequence[str]
) -> Steps[Effect]:
    """Return the effect of a change of ranges, of which those `touched` may differ."""
    added, removed, changed, loosened = [], [], [], []
    for index, text in enumerate(touched):
        if not index % STEP:
            yield
        if text not in before:
            added.append(text)
        elif text not in after:
            removed.append(text)
        elif before[text] != after[text]:
            changed.append(text)
            with suppress(KeyError, ValueError):  # of a damaged list
                former = decode_range(text, before[text])
                if decode_range(text, after[text]).is_loosened(former):
                    loosened.append(text)
    return Effect(
        ranges_added=Affected.of(added),
        ranges_removed=Affected.of(removed),
        ranges_changed=Affected.of(changed),
        ranges_loosened=Affected.of(loosened),
    )
