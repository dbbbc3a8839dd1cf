"""What a worker counts: plain numbers in a list, which are copied to shared memory ten times a second."""

import mmap
import os
import time
from array import array
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any, cast

from ipgate.domain.decision import Decision, Reason
from ipgate.metrics.families import (
    CACHE_HITS,
    CACHE_MISSES,
    CODES,
    DECISION_SECONDS,
    DECISIONS,
    HANDLED,
    HANDLING_SECONDS,
    HISTOGRAM_BUCKETS,
    METHODS,
    REPORTED,
    SLOTS,
    Family,
    slot_of,
)

BYTES = (SLOTS + 1) * 8
"""Of the memory of a worker. Its last number is when it was written, in ns of the machine's steady clock."""

_now = time.perf_counter_ns


class Counters:
    """One for each worker. `slots` are where `slot_of` says. `before_writing`: sets what follows from others."""

    def __init__(self) -> None:
        self.slots = [0] * SLOTS
        self.before_writing: list[Callable[[], None]] = []

    def add(self, family: Family) -> None:
        """Add to a counter without labels."""
        self.slots[slot_of(family)] += 1

    def set(self, family: Family, value: float, *labels: str) -> None:
        """Set a row to a value in the unit that the family is shown in."""
        self.slots[slot_of(family, *labels)] = max(0, round(value / family.unit))

    @contextmanager
    def timing(self, family: Family) -> Iterator[None]:
        """Add the time of the context to a histogram without labels."""
        first, began = slot_of(family), _now()
        try:
            yield
        finally:
            took = _now() - began
            self.slots[first + took.bit_length()] += 1
            self.slots[first + HISTOGRAM_BUCKETS] += took


Start = Callable[[Any, bytes], bytes | Awaitable[bytes]]
"""Answers an encoded request."""


class CallCounts:
    """What is counted of the calls of a method. The slots are looked up once: a call has no time for it."""

    def __init__(self, counters: Counters, service: str, method: str) -> None:
        self._counters = counters
        self._first = slot_of(HANDLED, service, method, CODES[0])
        self._seconds = 0
        if (method,) in DECISION_SECONDS.rows:
            self._seconds = slot_of(DECISION_SECONDS, method)
        elif (service, method) in HANDLING_SECONDS.rows:
            self._seconds = slot_of(HANDLING_SECONDS, service, method)

    def ended(self, code: int) -> None:
        """Count a call that ended with a status code."""
        self._counters.slots[self._first + code] += 1

    def counted(self, start: Start) -> Start:
        """Return `start` of a unary method with the time of each answer counted.

        Calls that fail are counted by the engine, which knows what else ends them.
        """
        slots, seconds, now = self._counters.slots, self._seconds, _now
        total = seconds + HISTOGRAM_BUCKETS
        self._counters.before_writing.append(self._count_answered)

        def start_counted(info: Any, raw: bytes) -> bytes | Awaitable[bytes]:
            began = now()
            answer = start(info, raw)
            if type(answer) is not bytes:
                return later(cast("Awaitable[bytes]", answer), began)
            took = now() - began
            slots[seconds + took.bit_length()] += 1
            slots[total] += took
            return answer

        async def later(answer: Awaitable[bytes], began: int) -> bytes:
            response = await answer
            took = now() - began
            slots[seconds + took.bit_length()] += 1
            slots[total] += took
            return response

        return start_counted

    def _count_answered(self) -> None:
        """Count as answered the calls whose time was counted: a call has no time to count both."""
        slots, seconds = self._counters.slots, self._seconds
        slots[self._first] = sum(slots[seconds : seconds + HISTOGRAM_BUCKETS])


def call_counts(counters: Counters | None, path: str) -> CallCounts | None:
    """Return what is counted of the method `service/method`; None if nothing is."""
    service, _, method = path.partition("/")
    if counters is None or (service, method) not in METHODS:
        return None
    return CallCounts(counters, service, method)


class DecisionCounts:
    """Counts decisions by their reasons, and those that memory had no answer to."""

    def __init__(self, counters: Counters) -> None:
        self._counters = counters
        rows = {(reason, report_only): slot for reason, report_only, slot in _decision_rows()}
        self._rows = tuple(rows.values())
        self._resolved = 0
        counters.before_writing.append(self._count_hits)
        enforced = {reason: rows[reason, False] for reason in Reason}
        reported = {reason: rows[reason, True] for reason in REPORTED}
        slots = counters.slots

        def count(decision: Decision) -> None:
            _, reason, _, _, report_only = decision
            slots[reported[reason] if report_only else enforced[reason]] += 1

        self.count: Callable[[Decision], None] = count
        """Count a decision, from memory unless `resolved` counts it. Without `self`, for its speed."""

    def missed(self) -> None:
        """Count a question that memory has no answer to, whatever becomes of it."""
        self._counters.add(CACHE_MISSES)

    def resolved(self, decision: Decision) -> None:
        """Count a decision that was missed before."""
        self._resolved += 1
        self.count(decision)

    def _count_hits(self) -> None:
        """Count as hits what was decided and not missed."""
        slots = self._counters.slots
        hits = sum(slots[row] for row in self._rows) - self._resolved
        self._counters.set(CACHE_HITS, hits)


def _decision_rows() -> Iterator[tuple[Reason, bool, int]]:
    for reason, allowed, report_only in DECISIONS.rows:
        slot = slot_of(DECISIONS, reason, allowed, report_only)
        yield Reason(reason), report_only == "true", slot


def create_memory() -> int:
    """Return the descriptor of memory for one worker, which both processes can map."""
    descriptor = os.memfd_create("ipgate-metrics")
    os.ftruncate(descriptor, BYTES)
    return descriptor


class SharedMemory:
    """The memory of one worker. Only that worker writes to it."""

    def __init__(self, descriptor: int) -> None:
        self._mapped = mmap.mmap(descriptor, BYTES)
        self._view = memoryview(self._mapped).cast("Q")

    def write(self, counters: Counters) -> None:
        """Copy what was counted."""
        for summing_up in counters.before_writing:
            summing_up()
        self._view[:] = memoryview(array("Q", [*counters.slots, time.monotonic_ns()]))

    def read(self) -> list[int]:
        """Return the slots."""
        return self._view[:SLOTS].tolist()

    def age(self) -> float:
        """Return the seconds since the worker wrote."""
        return (time.monotonic_ns() - self._view[SLOTS]) / 1e9

    def close(self) -> None:
        self._view.release()
        self._mapped.close()
