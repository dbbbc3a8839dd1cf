"""A million keys: what they take to load and to hold, and what a change costs among them.

`make bench ARGS=scale`, or `ARGS='scale 100000'` for another number of keys.
"""

import hashlib
import json
import multiprocessing
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self, TypeVar

import grpc
from ipgate.app.worker import Orders
from ipgate.settings import Settings
from ipgate.v1 import admin_pb2 as admin
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, TimeElapsedColumn

from bench.processes import memory
from bench.scale_callers import Answers, crowd, everything, paced, percentile
from bench.scale_data import BIG, INSIDE, MANY, DataSet, name_of
from bench.scale_worker import READ
from bench.table import Figure
from tests.harness.servers import IPGATE, ROOT_TOKEN, Client, serving

_PORT = 50912
_CACHE = 4 << 30
_CREATED = 2000
_MISSES = 1000
_PROBED = 6000
_SLOWEST_START = 60

T = TypeVar("T")


def measure(keys: int) -> list[Figure]:
    data = DataSet(keys)
    columns = (*Progress.get_default_columns(), MofNCompleteColumn(), TimeElapsedColumn())
    with (
        Progress(*columns, console=Console(stderr=True)) as progress,
        tempfile.TemporaryDirectory() as directory,
    ):
        root = Path(directory)
        figures: list[Figure] = []

        def found(more: list[Figure]) -> None:
            """What was found so far, for whoever watches: the whole takes minutes."""
            figures.extend(more)
            for each in more:
                progress.console.log(each.what, f"{each.measured:.4g}", each.unit)

        found(importing(data, root, progress))
        with serving(root / "s", "--max-ranges-per-list", str(data.ranges + 1)) as server:
            client = server.client()
            found(creating(client, progress))
            with Worker(root, progress) as worker:
                found(missing(worker, data))
                found(holding(worker, data))
                found(many_lists(worker, data))
                found(changing(worker, data, client))
                found(starting(worker, data))
        return figures


def importing(data: DataSet, root: Path, progress: Progress) -> list[Figure]:
    file = root / "export.jsonl"
    data.write(file, progress)
    progress.stop()  # the command shows its own
    began = time.perf_counter()
    subprocess.run([IPGATE, "import", file, "--data-dir", root / "s"], check=True)
    lasted = time.perf_counter() - began
    progress.start()
    file.unlink()
    return [
        Figure(f"import of {data.keys:,} keys in {data.workspaces:,} workspaces", lasted, "s"),
        Figure("keys imported a second", data.keys / lasted, "/s"),
    ]


def creating(client: Client, progress: Progress) -> list[Figure]:
    workspace = client.workspace()
    task = progress.add_task("creating keys", total=_CREATED)

    def create(index: int) -> None:
        client.key(workspace, f"k{index}")
        progress.advance(task)

    with ThreadPoolExecutor(16) as pool:
        began = time.perf_counter()
        list(pool.map(create, range(_CREATED)))
        lasted = time.perf_counter() - began
    return [Figure("keys created a second, one call each", _CREATED / lasted, "/s")]


class Worker:
    """The worker that is measured, on the store of the server, which makes the changes."""

    def __init__(self, root: Path, progress: Progress) -> None:
        url = f"unix://{root}/s/store/valkey.sock"
        self.address = f"127.0.0.1:{_PORT}"
        settings = Settings(
            listen=self.address, data_dir=root, log_level="ERROR", cache_bytes=_CACHE
        )
        digest = hashlib.sha256(ROOT_TOKEN.encode()).hexdigest()
        self._orders = Orders(settings, url, _PORT, digest, "bench", "").to_json()
        self.progress = progress
        self.process = self.start()

    def start(self) -> "subprocess.Popen[bytes]":
        command = [sys.executable, "-m", "bench.scale_worker"]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(f"{self._orders}\n".encode())
        process.stdin.flush()
        assert process.stdout.readline()
        self.seen()  # what came before it served
        return process

    def restart(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.process = self.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait()

    def memory(self) -> float:
        return memory([self.process.pid]) * 2**20

    def seen(self) -> dict[str, Any]:
        """What its probe saw since this was asked last."""
        with grpc.insecure_channel(self.address) as channel:
            read: Any = channel.unary_unary(READ)
            seen: dict[str, Any] = json.loads(read(b"", timeout=10))
            return seen

    def held(self, when: str) -> list[Figure]:
        seen = self.seen()
        longest = max(seen["collections"].values(), default=0)
        return [
            Figure(f"{when}: event loop held, longest", seen["held"], "ms", 10),
            Figure(f"{when}: garbage collection, longest", longest, "ms", 10),
        ]


@contextmanager
def caller(function: Callable[..., T], *args: Any) -> Iterator[Callable[[], T]]:
    """Runs a caller in a process of its own; gives the way to wait for its result."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        yield pool.submit(function, *args).result


def missing(worker: Worker, data: DataSet) -> list[Figure]:
    """Questions about keys that are not held; the list of their workspace mostly is."""
    first = data.keys - min(_MISSES, data.keys // 4)
    warm(worker, data)
    worker.seen()
    with caller(paced, worker.address, ROOT_TOKEN, [range(first, data.keys)], 200) as result:
        (answers,) = result()
    return latencies("key not held", answers)


def warm(worker: Worker, data: DataSet) -> None:
    """Asks for one key of each list."""
    start = data.linked
    everything(worker.address, ROOT_TOKEN, start - 1, start + data.workspaces, lambda _: None)


def holding(worker: Worker, data: DataSet) -> list[Figure]:
    before = worker.memory()
    held = data.workspaces + 1 + min(_MISSES, data.keys // 4)
    task = worker.progress.add_task("asking for each key", total=data.keys)
    began = time.perf_counter()
    wrong = everything(
        worker.address,
        ROOT_TOKEN,
        0,
        data.keys,
        lambda count: worker.progress.advance(task, count),
    )
    lasted = time.perf_counter() - began
    growth = (worker.memory() - before) / (data.keys - held)
    return [
        Figure("keys loaded a second, all callers together", data.keys / lasted, "/s"),
        Figure("wrong answers", wrong, "", 0),
        Figure("memory of a held key, beside its lists", growth, "bytes", 400),
        *worker.held("loading"),
    ]


def many_lists(worker: Worker, data: DataSet) -> list[Figure]:
    client = Client(worker.address)
    key = name_of(MANY, data.keys)
    times = []
    for _ in range(101):
        began = time.perf_counter()
        assert client.ask(INSIDE, api_key=key).allowed
        times.append((time.perf_counter() - began) * 1000)
    return [
        Figure(f"key on {data.lists:,} lists, first answer", times[0], "ms"),
        Figure(f"key on {data.lists:,} lists, median after it", statistics.median(times[1:]), "ms"),
        *worker.held(f"compiling {data.lists:,} lists"),
    ]


def changing(worker: Worker, data: DataSet, client: Client) -> list[Figure]:
    """The same questions at rest and while the big list changes, from its keys and from others."""
    of_list = [index % data.linked for index in range(_PROBED)]
    others = [data.linked + index % (data.keys - data.linked) for index in range(_PROBED)]
    groups = [of_list, others]
    figures: list[Figure] = []
    worker.seen()
    with caller(paced, worker.address, ROOT_TOKEN, groups, 800) as result:
        rest = result()
    figures += worker.held("at rest")
    with caller(paced, worker.address, ROOT_TOKEN, groups, 800) as result:
        times = changes(client, data, seconds=2 * _PROBED / 800)
        changed = result()
    figures += worker.held("changes of the big list")
    for what, group in zip(("keys of it", "other keys"), (0, 1), strict=True):
        figures += latencies(f"no change, {what}", rest[group])
        figures += latencies(f"changes of the big list, {what}", changed[group])
    return [
        Figure(f"one change of {data.ranges:,} ranges, {data.linked:,} keys", times, "ms"),
        *figures,
    ]


def changes(client: Client, data: DataSet, *, seconds: float) -> float:
    """Adds a range and removes it, all the while; the median of the calls' ms."""
    name, times = f"workspaces/{BIG}/allowLists/l", []
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        for method, request in (
            ("AddRanges", admin.AddRangesRequest(allow_list=name, ranges=["172.16.0.0/24"])),
            ("RemoveRanges", admin.RemoveRangesRequest(allow_list=name, ranges=["172.16.0.0/24"])),
        ):
            began = time.perf_counter()
            client.call(method, request)
            times.append((time.perf_counter() - began) * 1000)
            time.sleep(0.5)
    return statistics.median(times)


def starting(worker: Worker, data: DataSet) -> list[Figure]:
    """A worker that is killed and started again while all ask for many keys."""
    keys = min(20_000, data.keys)
    with caller(crowd, worker.address, ROOT_TOKEN, keys, 40) as result:
        time.sleep(12)
        worker.restart()
        answers = result()
    killed, back = min(answers.failed), max(answers.failed)
    usual = p99_by_second(answers, range(2, int(killed)))
    later = p99_by_second(answers, range(int(back) + 1, 39))
    before = statistics.median(usual.values())
    normal = [second for second, found in later.items() if found <= 1.5 * before]
    unavailable = answers.errors.pop("UNAVAILABLE", 0)
    return [
        Figure("full load, p99 of the warm worker", before, "ms"),
        Figure("worker killed under it, until calls are answered again", back - killed, "s"),
        Figure(
            "until p99 is at most half as long again as before",
            min(normal, default=float("inf")) - killed,
            "s",
        ),
        Figure("worst p99 of a second until then", max(later.values()), "ms"),
        Figure("calls refused as UNAVAILABLE", unavailable, ""),
        Figure("other errors", answers.errors.total(), "", 0),
        Figure("wrong answers", answers.wrong, "", 0),
        *worker.held("cold start"),
    ]


def p99_by_second(answers: Answers, seconds: range) -> dict[int, float]:
    found: dict[int, list[float]] = {second: [] for second in seconds}
    for at, latency in answers.times:
        found.get(int(at), []).append(latency)
    return {second: percentile(times, 99) for second, times in found.items() if times}


def latencies(what: str, answers: Answers) -> list[Figure]:
    times = answers.latencies()
    assert not answers.wrong
    assert not answers.errors, answers.errors
    return [
        Figure(f"{what}, median", statistics.median(times), "ms"),
        Figure(f"{what}, p99", percentile(times, 99), "ms"),
        Figure(f"{what}, longest", max(times), "ms"),
    ]
