"""The metrics of all workers together, as Prometheus reads them."""

from collections.abc import Callable, Iterable
from threading import Lock

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from ipgate.metrics.counters import SharedMemory
from ipgate.metrics.families import (
    FAMILIES,
    HISTOGRAM_BUCKETS,
    SLOTS,
    Family,
    Kind,
    shown_buckets,
    slot_of,
)

_MERGE: dict[Kind, Callable[[list[int]], int]] = {Kind.SUM: sum, Kind.MAX: max, Kind.MIN: min}

_GROWING = (Kind.COUNTER, Kind.HISTOGRAM)


class Workers(Collector):
    """What the workers count, and what those counted that have ended: a counter never falls."""

    def __init__(self) -> None:
        self._ended = [0] * SLOTS
        self._live: list[SharedMemory] = []
        self._lock = Lock()  # scrapes come on threads of their own

    def add(self, memory: SharedMemory) -> None:
        """Show a worker, too."""
        with self._lock:
            self._live.append(memory)

    def remove(self, memory: SharedMemory) -> None:
        """Keep the counters of a worker that has ended, and nothing else of it."""
        with self._lock:
            slots = memory.read()
            self._live.remove(memory)
            for family in FAMILIES:
                if family.kind in _GROWING:
                    first = slot_of(family, *family.rows[0])
                    for slot in range(first, first + len(family.rows) * family.width()):
                        self._ended[slot] += slots[slot]
            memory.close()

    def any_serves(self, serving: Family, *, within: float) -> bool:
        """Return whether a worker serves, by what it wrote within the last seconds."""
        slot = slot_of(serving)
        with self._lock:
            return any(memory.read()[slot] and memory.age() <= within for memory in self._live)

    def collect(self) -> Iterable[Metric]:
        """Return all metrics of workers."""
        workers = self._read()
        return [_metric(family, workers) for family in FAMILIES]

    def _read(self) -> list[list[int]]:
        """Return the slots of the ended workers together, and of each live one."""
        with self._lock:
            return [list(self._ended), *(memory.read() for memory in self._live)]


def _metric(family: Family, workers: list[list[int]]) -> Metric:
    if family.kind is Kind.HISTOGRAM:
        histogram = HistogramMetricFamily(family.name, family.help, labels=family.labels)
        for row in family.rows:
            first = slot_of(family, *row)
            counts = [
                sum(slots[first + index] for slots in workers) for index in range(family.width())
            ]
            if family.is_sparse and not any(counts):
                continue
            buckets = [
                ("+Inf" if most == float("inf") else repr(most), count)
                for most, count in shown_buckets(counts)
            ]
            histogram.add_metric(row, buckets, counts[HISTOGRAM_BUCKETS] * family.unit)
        return histogram
    kind = CounterMetricFamily if family.kind is Kind.COUNTER else GaugeMetricFamily
    metric = kind(family.name, family.help, labels=family.labels)
    for row in family.rows:
        value = _value(family, slot_of(family, *row), workers)
        if value or not family.is_sparse:
            metric.add_metric(row, value)
    return metric


def _value(family: Family, slot: int, workers: list[list[int]]) -> float:
    ended, *live = (slots[slot] for slots in workers)
    if family.kind is Kind.COUNTER:
        return (ended + sum(live)) * family.unit
    if not live:
        return 0.0
    return float(_MERGE[family.kind](live)) * family.unit
