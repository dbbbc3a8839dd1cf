"""What the supervisor shows of the server as a whole, beside what its workers count."""

from collections.abc import Iterable
from dataclasses import dataclass

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from ipgate.version import VERSION


@dataclass(slots=True, eq=False)
class ServerMetrics(Collector):
    """`tls_expiry`: seconds since 1970, 0 without TLS. `store_limit`: 0 for none."""

    engine: str
    workers: int = 0
    worker_restarts: int = 0
    store_restarts: int = 0
    tls_expiry: float = 0.0
    store_used: int = 0
    store_limit: int = 0

    def collect(self) -> Iterable[Metric]:
        """Return all metrics of the server."""
        info = GaugeMetricFamily("ipgate_build_info", "Always 1.", labels=("version", "engine"))
        info.add_metric((VERSION, self.engine), 1)
        yield info
        for name, text, value in (
            ("ipgate_workers", "Worker processes that run.", self.workers),
            (
                "ipgate_store_memory_bytes",
                "Memory in use of the store's server that is nearest to its limit.",
                self.store_used,
            ),
            (
                "ipgate_store_memory_limit_bytes",
                "Limit of the memory of that server (maxmemory), 0 for none.",
                self.store_limit,
            ),
        ):
            yield GaugeMetricFamily(name, text, value=value)
        for name, text, count in (
            (
                "ipgate_worker_restarts",
                "Workers that ended unexpectedly and were replaced.",
                self.worker_restarts,
            ),
            (
                "ipgate_store_restarts",
                "Times that the embedded store was started again.",
                self.store_restarts,
            ),
        ):
            yield CounterMetricFamily(name, text, value=count)
        if self.tls_expiry:
            text = "When the certificate of the server expires, in seconds since 1970."
            yield GaugeMetricFamily(
                "ipgate_tls_certificate_expiry_timestamp_seconds", text, value=self.tls_expiry
            )
