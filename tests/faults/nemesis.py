"""Faults, one at a time: what can be killed is killed, what can be frozen is frozen, lines are cut."""

import os
import random
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial

from tests.faults.history import History, now
from tests.harness.groups import freeze, thaw
from tests.harness.proxy import Proxy
from tests.harness.servers import Client, RpcFailed, Server
from tests.harness.stores import StoreServer
from tests.harness.waiting import eventually


@dataclass
class Nemesis:
    history: History
    store: StoreServer
    servers: list[Server]
    proxy: Proxy
    longest: float
    """Seconds that a fault lasts at most."""

    def run(self, stop: threading.Event, seed: int) -> None:
        chance = random.Random(seed)
        faults = [
            self._kill_store, self._freeze_store, self._cut, self._fill_store, self._kill_worker,
            self._freeze_worker, self._drop_connections,
        ]  # fmt: skip
        while not stop.is_set():
            # Each kind comes before any comes again.
            for disturbance in chance.sample(faults, len(faults)):
                if stop.wait(chance.uniform(0.3, 1.2)):
                    return
                kind = disturbance.__name__.strip("_")
                self.history.faults.append((now(), kind))
                with disturbance(chance):
                    stop.wait(chance.uniform(0.2, self.longest))
                self.history.recoveries.append((self._recovery(), kind))

    def _recovery(self) -> float:
        """Seconds until a change can be made at every server, and is answered by."""
        began = now()
        for server in self.servers:
            eventually(partial(_works, server.client()), "the service works again")
        return now() - began

    @contextmanager
    def _kill_store(self, _chance: random.Random) -> Iterator[None]:
        self.store.kill()
        try:
            yield
        finally:
            self.store.start()

    @contextmanager
    def _freeze_store(self, _chance: random.Random) -> Iterator[None]:
        freeze(self.store)
        try:
            yield
        finally:
            thaw(self.store)

    @contextmanager
    def _cut(self, _chance: random.Random) -> Iterator[None]:
        self.proxy.cut()
        try:
            yield
        finally:
            self.proxy.heal()

    @contextmanager
    def _fill_store(self, _chance: random.Random) -> Iterator[None]:
        with self.store.client() as client:
            client.config_set("maxmemory", "1mb")
            try:
                yield
            finally:
                client.config_set("maxmemory", "0")

    @contextmanager
    def _kill_worker(self, chance: random.Random) -> Iterator[None]:
        self._signal(chance, signal.SIGKILL)
        yield

    @contextmanager
    def _freeze_worker(self, chance: random.Random) -> Iterator[None]:
        pid = self._signal(chance, signal.SIGSTOP)
        try:
            yield
        finally:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)

    @contextmanager
    def _drop_connections(self, _chance: random.Random) -> Iterator[None]:
        with self.store.client() as client:
            client.execute_command("CLIENT KILL", "TYPE", "normal", "SKIPME", "yes")
        yield

    def _signal(self, chance: random.Random, number: signal.Signals) -> int:
        workers = [pid for server in self.servers for pid in server.workers()]
        pid = chance.choice(workers)
        os.kill(pid, number)
        return pid


def _works(client: Client) -> bool:
    try:
        workspace = client.workspace()
        key = client.key(workspace, "k")
        asked = client.ask("192.0.2.1", key=key.credential, min_revision=key.api_key.revision)
    except RpcFailed:
        return False
    return bool(asked.allowed)
