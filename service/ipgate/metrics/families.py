"""Every metric of a worker, declared once: its name, its labels and all rows that it can have.

All rows are known in advance, so that each has its slot in the memory that a worker shares with the supervisor. No
row has a workspace, an API key, an access token or an address in it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum

from ipgate.domain.decision import Reason
from ipgate.v1 import admin_pb2, authorize_pb2

ADMIN, AUTHORIZE = "ipgate.v1.AdminService", "ipgate.v1.AuthorizeService"
EXT_AUTHZ = "envoy.service.auth.v3.Authorization"

CODES = (
    "OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS",
    "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED",
    "INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED",
)  # fmt: skip
"""The status codes of gRPC, in the order of their numbers."""

REPORTED = (Reason.NOT_IN_LINKED_LISTS, Reason.NOT_IN_DEFAULT_LIST)
"""Reasons of denials that may be reported only."""

_ALLOWING = (Reason.LINKED_LIST_MATCH, Reason.DEFAULT_LIST_MATCH, Reason.UNRESTRICTED)

LIMITS = ("connections", "calls", "streams", "loads", "waits")

HISTOGRAM_BUCKETS = 48
"""The bucket of a time is the number of bits that its nanoseconds have."""

_SHOWN_BUCKETS = range(12, 35)
"""From 4 µs to 17 s; shorter times are in the first one."""


class Kind(Enum):
    """What a metric is, and how those of several workers become one."""

    COUNTER = "counter"
    SUM = "sum"
    MAX = "max"
    MIN = "min"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """`rows`: the values of its labels. `unit`: what 1 in a slot is worth.

    `is_sparse`: rows of which nothing came are not shown, as most statuses of most methods.
    """

    name: str
    help: str
    kind: Kind
    labels: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ((),)
    unit: float = 1
    is_sparse: bool = False

    def width(self) -> int:
        """Return the slots of a row: a histogram has the sum of its times after its buckets."""
        return HISTOGRAM_BUCKETS + 1 if self.kind is Kind.HISTOGRAM else 1


def _methods(service: str) -> tuple[tuple[str, ...], ...]:
    file = admin_pb2 if service == ADMIN else authorize_pb2
    found = file.DESCRIPTOR.services_by_name[service.rpartition(".")[2]].methods
    return tuple((service, method.name) for method in found)


METHODS = (*_methods(ADMIN), *_methods(AUTHORIZE), (EXT_AUTHZ, "Check"))
"""Services and methods."""

_NS, _US = 1e-9, 1e-6

DECISIONS = Family(
    name="ipgate_decisions",
    help="Decisions by their reason. A decision that only reports is allowed, and would be denied for its reason.",
    kind=Kind.COUNTER,
    labels=("reason", "allowed", "report_only"),
    rows=(
        *((reason.value, str(reason in _ALLOWING).lower(), "false") for reason in Reason),
        *((reason.value, "true", "true") for reason in REPORTED),
    ),
)
HANDLED = Family(
    name="grpc_server_handled",
    help="Calls that ended, by the status that their caller got.",
    kind=Kind.COUNTER,
    labels=("grpc_service", "grpc_method", "grpc_code"),
    rows=tuple((*method, code) for method in METHODS for code in CODES),
    is_sparse=True,
)
DECISION_SECONDS = Family(
    name="ipgate_decision_seconds",
    help="Seconds from a whole request for a decision, or a batch of them, to its answer. Streams are not timed.",
    kind=Kind.HISTOGRAM,
    labels=("grpc_method",),
    rows=(("Authorize",), ("BatchAuthorize",), ("Check",)),
    unit=_NS,
)
HANDLING_SECONDS = Family(
    name="grpc_server_handling_seconds",
    help="Seconds from a whole request of AdminService to its answer.",
    kind=Kind.HISTOGRAM,
    labels=("grpc_service", "grpc_method"),
    rows=tuple(method for method in METHODS if method[0] == ADMIN),
    unit=_NS,
    is_sparse=True,
)
CACHE_HITS = Family(
    name="ipgate_cache_hits", help="Questions that were answered from memory.", kind=Kind.COUNTER
)
CACHE_MISSES = Family(
    name="ipgate_cache_misses",
    help="Questions for which something had to be loaded or waited for.",
    kind=Kind.COUNTER,
)
CACHE_EVICTIONS = Family(
    name="ipgate_cache_evictions",
    help="API keys that were evicted from a full policy cache.",
    kind=Kind.COUNTER,
)
CACHE_BYTES = Family(
    name="ipgate_cache_bytes",
    help="Approximate bytes of all policy caches, which the setting cache-bytes bounds for each worker.",
    kind=Kind.SUM,
)
CACHE_KEYS = Family(name="ipgate_cache_keys", help="API keys in all policy caches.", kind=Kind.SUM)
LOAD_SECONDS = Family(
    name="ipgate_load_seconds",
    help="Seconds that loads of policies and access tokens from the store took.",
    kind=Kind.HISTOGRAM,
    unit=_NS,
)
LOADS_FAILED = Family(
    name="ipgate_loads_failed", help="Loads from the store that failed.", kind=Kind.COUNTER
)
STORE_ERRORS = Family(
    name="ipgate_store_errors",
    help="Commands that the store did not carry out, and reads of the change feed that failed.",
    kind=Kind.COUNTER,
)
STORE_UP = Family(
    name="ipgate_store_up",
    help="1 if every worker has heard from the store within the last 5 seconds, else 0.",
    kind=Kind.MIN,
)
CHANGE_LAG_SECONDS = Family(
    name="ipgate_change_lag_seconds",
    help="Seconds since the worker that is furthest behind was known to have applied every change: the staleness, which "
    "the setting max-staleness bounds. About a second where nothing changes.",
    kind=Kind.MAX,
    unit=_US,
)
CHANGE_LAG_REVISIONS = Family(
    name="ipgate_change_lag_revisions",
    help="Changes that the worker that is furthest behind has read of and not applied yet.",
    kind=Kind.MAX,
)
HISTORY_RESETS = Family(
    name="ipgate_history_resets",
    help="Times that a worker dropped its policy cache because the history of changes broke off.",
    kind=Kind.COUNTER,
)
SERVING = Family(
    name="ipgate_workers_serving",
    help="Workers that can answer questions now.",
    kind=Kind.SUM,
)
CONNECTIONS = Family(name="ipgate_connections", help="Open connections.", kind=Kind.SUM)
CALLS = Family(
    name="ipgate_calls_in_flight",
    help="Calls in flight, except health checks.",
    kind=Kind.SUM,
)
STREAMS = Family(
    name="ipgate_streams", help="Calls in flight whose callers send many messages.", kind=Kind.SUM
)
REFUSALS = Family(
    name="ipgate_refusals",
    help="What was rejected because a limit was reached: connections, calls, streams, loads of policies, waits for a "
    "revision.",
    kind=Kind.COUNTER,
    labels=("limit",),
    rows=tuple((limit,) for limit in LIMITS),
)
AUDIT_BACKLOG = Family(
    name="ipgate_audit_backlog",
    help="Denied calls that are not in the audit log yet; they are written once a minute.",
    kind=Kind.SUM,
)
CPU_SECONDS = Family(
    name="ipgate_worker_cpu_seconds",
    help="Seconds of CPU time of all workers.",
    kind=Kind.COUNTER,
    unit=_US,
)
MEMORY_BYTES = Family(
    name="ipgate_worker_memory_bytes", help="Resident memory of all workers.", kind=Kind.SUM
)
OPEN_FILES = Family(
    name="ipgate_worker_open_files", help="Open file descriptors of all workers.", kind=Kind.SUM
)

FAMILIES: Sequence[Family] = (
    DECISIONS, HANDLED, DECISION_SECONDS, HANDLING_SECONDS, CACHE_HITS, CACHE_MISSES, CACHE_EVICTIONS, CACHE_BYTES,
    CACHE_KEYS, LOAD_SECONDS, LOADS_FAILED, STORE_ERRORS, STORE_UP, CHANGE_LAG_SECONDS, CHANGE_LAG_REVISIONS,
    HISTORY_RESETS, SERVING, CONNECTIONS, CALLS, STREAMS, REFUSALS, AUDIT_BACKLOG, CPU_SECONDS, MEMORY_BYTES, OPEN_FILES,
)  # fmt: skip


def _first_slots() -> Iterator[tuple[Family, int]]:
    slot = 0
    for family in FAMILIES:
        yield family, slot
        slot += len(family.rows) * family.width()


_FIRST = {family.name: slot for family, slot in _first_slots()}

SLOTS = sum(len(family.rows) * family.width() for family in FAMILIES)


def slot_of(family: Family, *labels: str) -> int:
    """Return the slot of a row, the first one of a histogram's."""
    return _FIRST[family.name] + family.rows.index(labels) * family.width()


def shown_buckets(counts: Sequence[int]) -> list[tuple[float, int]]:
    """Return the buckets of a histogram: the most seconds of each, and how many times were at most so long."""
    shown = [((1 << bits) * _NS, sum(counts[: bits + 1])) for bits in _SHOWN_BUCKETS]
    return [*shown, (float("inf"), sum(counts[:HISTOGRAM_BUCKETS]))]
