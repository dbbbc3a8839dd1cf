"""Servers, load and faults together, and the check of what was seen."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ipgate.domain.shards import SHARDS
from ipgate.store import key_names

from tests.faults.checker import Report, Streams, check
from tests.faults.history import Answer, History, now
from tests.faults.load import Reader, TokenUser, Writer
from tests.faults.model import UNKNOWN
from tests.faults.nemesis import Nemesis
from tests.harness.proxy import Proxy
from tests.harness.servers import Client, RpcFailed, Server, serving
from tests.harness.stores import StoreServer
from tests.harness.waiting import eventually

MAX_STALENESS = 2.0
WRITERS = 3
READERS = 5


@dataclass
class Ordeal:
    """Two servers of two workers each on one store; one reaches it through a line that can be cut."""

    history: History
    store: StoreServer
    servers: list[Server]
    proxy: Proxy

    def clients(self) -> list[Client]:
        return [server.client() for server in self.servers]

    def endure(
        self, seconds: float, seed: int, *, faults: bool, tick: Callable[[], None] = lambda: None
    ) -> Report:
        """Runs load, and faults if told to, for so long; then heals all and checks what was seen."""
        stop = threading.Event()
        history = self.history
        with ThreadPoolExecutor(32) as pool:
            work: list[Writer | Reader | TokenUser] = [
                *(Writer(history, self.clients(), seed + number) for number in range(WRITERS)),
                *(Reader(history, self.clients(), seed - number) for number in range(READERS)),
                TokenUser(history, self.clients(), seed),
            ]
            running = [pool.submit(task.run, stop) for task in work]
            if faults:
                longest = MAX_STALENESS * 1.5
                nemesis = Nemesis(history, self.store, self.servers, self.proxy, longest)
                running.append(pool.submit(nemesis.run, stop, seed))
            end = time.monotonic() + seconds
            while time.monotonic() < end and not any(future.done() for future in running):
                time.sleep(0.1)
                tick()
            stop.set()
            for future in running:
                future.result()
        self._healed(seed)
        report = check(history, self._streams(), MAX_STALENESS)
        report.violations += self._unaudited()
        return report

    def answers_after_emptying(self, seconds: float, seed: int) -> list[Answer]:
        """Empties the store, and asks for so long; the answers from what was before that came later
        than they may."""
        with self.store.client() as client:
            client.flushall()
        emptied = now()
        stop = threading.Event()
        before = len(self.history.answers)
        with ThreadPoolExecutor(READERS) as pool:
            for reader in range(READERS):
                pool.submit(Reader(self.history, self.clients(), seed + reader).run, stop)
            time.sleep(seconds)
            stop.set()
        return [
            answer
            for answer in self.history.answers[before:]
            if answer.began > emptied + MAX_STALENESS and answer.said != UNKNOWN
        ]

    def _healed(self, seed: int) -> None:
        """Waits until all works again, and asks once more about everything, with its revision."""
        for client in self.clients():
            eventually(partial(_works, client), "changes are made again")
            reader = Reader(self.history, [client], seed)
            for workspace in self.history.workspaces:
                for _ in range(5):
                    reader.ask(workspace, client, current=True)

    def _unaudited(self) -> Iterator[str]:
        """The changes without an event in the audit log, and the events without a change."""
        with self.store.client() as client:
            for shard, changes in self._streams().items():
                events = {
                    (int(fields["rev"]), fields["tip"])
                    for _, fields in client.xrange(key_names.of_shard("audit", shard))
                }
                made = {(number, tip) for number, (tip, _) in changes.items()}
                for number, tip in made ^ events:
                    yield f"change {number} ({tip}) of shard {shard} is in one of log and history"

    def _streams(self) -> Streams:
        with self.store.client() as client:
            return {
                shard: {
                    int(identifier.partition("-")[0]): (fields["tip"], fields["workspace"])
                    for identifier, fields in client.xrange(key_names.changes(shard))
                }
                for shard in range(SHARDS)
            }


@contextmanager
def ordeal(directory: Path, **environment: str) -> Iterator[Ordeal]:
    """`environment`: variables of the servers."""
    with ExitStack() as stack:
        store = StoreServer(directory / "store", "--appendfsync", "always")
        stack.callback(store.stop)
        store.start()
        proxy = Proxy(store.socket)
        stack.callback(proxy.stop)
        urls = [store.url, f"redis://127.0.0.1:{proxy.port}"]
        options = ["--workers", "2", "--max-staleness", str(MAX_STALENESS)]
        servers = [
            stack.enter_context(
                serving(directory / str(index), "--redis-url", url, *options, **environment)
            )
            for index, url in enumerate(urls)
        ]
        yield Ordeal(History(), store, servers, proxy)


def _works(client: Client) -> bool:
    try:
        client.workspace()
    except RpcFailed:
        return False
    return True
