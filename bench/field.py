"""Everybody under the same load, in turn.

All servers stand on one core at the same time, and one at a time is loaded from another core. A round
loads each of them once, so that a disturbance of the machine affects all of them; ratios are taken
within a round.
"""

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from bench import thresholds
from bench.contenders import cerbos, envoy, go_echo, grpc_aio, ipgate, naive, opa, spicedb
from bench.contenders.contender import Ask, Contender, Running
from bench.processes import Missing, cpu, memory
from bench.results import HALF, MAX_EVENLY, AtRate, Row, Server

CONTENDERS = (
    ipgate.HTTP2_ENGINE,
    ipgate.HTTP2_METRICS,
    ipgate.HTTP2_TLS,
    ipgate.GRPCIO_ENGINE,
    grpc_aio.PLAIN,
    grpc_aio.SCHEDULED,
    envoy.CONTENDER,
    go_echo.CONTENDER,
    naive.CONTENDER,
    cerbos.CONTENDER,
    opa.CONTENDER,
    spicedb.CONTENDER,
)
RATES = (200, 1_000, 5_000, 10_000)

_ROUNDS, _ROUNDS_COMPARED = 13, 25
"""Of a row, and of one whose CPU a threshold compares with another's."""
_PACED_ROUNDS = 3
_SECONDS = 0.7
_PACED_SECONDS = 2.5
_FEWEST = 128
"""Calls that saturate: so many are in flight."""
_MAX_OF_SATURATION = 0.8


def measure(chosen: list[Contender]) -> tuple[list[Server], list[Row]]:
    servers, rows, asked = [], [], list[tuple[Row, Ask, Running]]()
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        up: list[tuple[Server, Running]] = []
        for number, contender in enumerate(chosen):
            own = directory / str(number)
            own.mkdir()
            server = Server(contender.name)
            servers.append(server)
            rows += [Row(name, contender.name) for name in contender.asks]
            print(f"starting {contender.name}", end="", flush=True)
            try:
                running = stack.enter_context(contender.start(own))
            except Missing as why:
                server.missing = str(why)
                print(f": missing, {why}")
                continue
            print(f": {running.version}")
            server.version = running.version
            up.append((server, running))
            by_name = {row.name: row for row in rows}
            asked += [(by_name[name], ask, running) for name, ask in running.asks.items()]
        # What is compared is loaded close together, since the machine's pace changes.
        compared = thresholds.compared()
        asked.sort(key=lambda question: question[0].name not in compared)
        calls = {row.name: _warm_up(row, ask) for row, ask, _ in asked}
        for number in range(_ROUNDS_COMPARED):
            print(f"saturated, round {number + 1} of {_ROUNDS_COMPARED}:")
            for row, ask, running in asked:
                if number < _ROUNDS or row.name in compared:
                    saturate(row, ask, running, calls[row.name])
        for server, running in up:
            server.memory = round(memory(running.pids()), 1)
        for number in range(_PACED_ROUNDS):
            print(f"at fixed rates, round {number + 1} of {_PACED_ROUNDS}:")
            for row, ask, running in asked:
                if ask.paced:
                    pace(row, ask, running)
    return servers, rows


def saturate(row: Row, ask: Ask, running: Running, calls: int) -> None:
    """One more round for the row: all that it can do."""
    with _told(row.name), _checked(ask):
        pids = running.pids()
        before = cpu(pids)
        rps = ask.load.saturate(calls) * ask.decisions
        spent = (cpu(pids) - before) / (calls * ask.decisions)
    row.rps.append(round(rps, 1))
    row.cpu.append(round(spent * 1e6, 3))


def pace(row: Row, ask: Ask, running: Running) -> None:
    """One more round for the row: at each rate that it can keep up with."""
    saturated = sorted(row.rps)[len(row.rps) // 2]
    rates = {str(rate): rate for rate in RATES if rate <= saturated * _MAX_OF_SATURATION}
    rates[HALF] = min(round(saturated / 2), MAX_EVENLY)
    with _told(row.name), _checked(ask):
        pids = running.pids()
        for name, rate in rates.items():
            before = cpu(pids)
            paced = ask.load.pace(rate, _PACED_SECONDS)
            spent = (cpu(pids) - before) / (rate * _PACED_SECONDS)
            rounds = row.paced.setdefault(name, AtRate(rate))
            rounds.achieved.append(round(paced.achieved, 1))
            rounds.p50.append(paced.p50)
            rounds.p99.append(paced.p99)
            rounds.cpu.append(round(spent * 1e6, 1))


def _warm_up(row: Row, ask: Ask) -> int:
    """How many calls make a round."""
    with _told(f"warming up {row.name}"), _checked(ask):
        ask.load.saturate(_FEWEST)
        rate = ask.load.saturate(_FEWEST * 2)
    return max(_FEWEST, round(rate * _SECONDS))


@contextmanager
def _checked(ask: Ask) -> Iterator[None]:
    """The answers are right, before and after."""
    ask.check()
    yield
    ask.check()


@contextmanager
def _told(what: str) -> Iterator[None]:
    print(f"  {what}", flush=True)
    yield
