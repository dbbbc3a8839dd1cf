"""A million keys: what they take to load and to hold, and what a change costs among them.

`make bench ARGS=scale`, or `ARGS='scale 100000'` for another number of keys.
"""

import statistics
import subprocess
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, TimeElapsedColumn

from bench.figures import Figure, latencies, percentile
from bench.scale_callers import Answers, crowd, everything, paced
from bench.scale_change import changing
from bench.scale_data import INSIDE, MANY, DataSet, name_of
from bench.scale_server import Worker, caller, of_the_loop
from tests.harness.servers import IPGATE, ROOT_TOKEN, Client, serving

_CREATED = 2000
_MISSES = 1000


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
            for figure in more:
                progress.console.log(figure.what, f"{figure.measured:.4g}", figure.unit)

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


def missing(worker: Worker, data: DataSet) -> list[Figure]:
    """Questions about keys that are not held; the list of their workspace mostly is."""
    first = data.keys - min(_MISSES, data.keys // 4)
    warm(worker, data)
    worker.seen()
    with caller(paced, worker.address, ROOT_TOKEN, [range(first, data.keys)], 200) as result:
        (answers,) = result()
    assert not answers.wrong
    assert not answers.errors, answers.errors
    return latencies("key not held", answers.latencies())


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
        Figure("loading: wrong answers", wrong, ""),
        Figure("memory of a held key, beside its lists", growth, "bytes"),
        *of_the_loop("loading", worker.seen()),
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
        *of_the_loop(f"compiling {data.lists:,} lists", worker.seen()),
    ]


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
    normal = [second for second, latency in later.items() if latency <= 1.5 * before]
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
        Figure("cold start: calls refused as UNAVAILABLE", unavailable, ""),
        Figure("cold start: other errors", answers.errors.total(), ""),
        Figure("cold start: wrong answers", answers.wrong, ""),
        *of_the_loop("cold start", worker.seen()),
    ]


def p99_by_second(answers: Answers, seconds: range) -> dict[int, float]:
    by_second: dict[int, list[float]] = {second: [] for second in seconds}
    for at, latency in answers.times:
        by_second.get(int(at), []).append(latency)
    return {second: percentile(times, 99) for second, times in by_second.items() if times}
