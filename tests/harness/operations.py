"""The operations port of a server, read as Prometheus reads it."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from tests.harness.servers import Server, serving

WAIT = 30.0


@dataclass(frozen=True)
class Operations:
    """`server`: whose port it is."""

    server: Server
    port: int

    def get(self, path: str, method: str = "GET") -> tuple[int, str]:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=WAIT)
        connection.request(method, path)
        response = connection.getresponse()
        body = response.read().decode()
        connection.close()
        return response.status, body

    def samples(self) -> dict[tuple[str, ...], float]:
        """All values, by the name and the values of the labels."""
        _, text = self.get("/metrics")
        return {
            (sample.name, *sample.labels.values()): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }

    def value(self, name: str, *labels: str) -> float:
        """A value; the labels in any order."""
        found = [
            value
            for (of, *values), value in self.samples().items()
            if of == name and sorted(values) == sorted(labels)
        ]
        return found[0] if found else 0.0

    def wait_for(self, name: str, *labels: str, is_so: Callable[[float], bool]) -> float:
        """Wait until a value is as it should be; workers show what they count ten times a second."""
        deadline = time.monotonic() + WAIT
        while not is_so(value := self.value(name, *labels)):
            assert time.monotonic() < deadline, f"{name}{labels} is {value}"
            time.sleep(0.05)
        return value


@contextmanager
def operated(directory: Path, port: int, *options: str) -> Iterator[Operations]:
    """A server with an operations port."""
    with serving(directory, "--ops-listen", f"127.0.0.1:{port}", *options) as server:
        yield Operations(server, port)
