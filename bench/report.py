"""The tables and the plot of a run.

`python -m bench.report` writes them again from bench/results/latest.json: three figures into README.md, one
table and the plot for operators into docs/, everything into bench/README.md.
"""

import statistics

from rich.console import Console
from rich.table import Table

from bench import plot, results, thresholds
from bench.field import RATES
from bench.figures import number
from bench.install import ROOT
from bench.results import HALF, MAX_EVENLY, Results, Row

FRONT = ROOT / "README.md"
PAGE = ROOT / "docs" / "performance.md"
RAW = ROOT / "bench" / "README.md"
PLOT = ROOT / "docs" / "performance.svg"
BEGIN, END = "<!-- figures: begin -->\n", "<!-- figures: end -->"

_NOTHING = "-"
_BUSY, _FULL = 0.93, 0.95
"""Shares of the core's time above which a server has none left, saturated and at a rate."""

Rows = list[list[str]]
"""The first is the heading."""


_AT_HALF = f"at half of saturation, at most {MAX_EVENLY:,}/s"
_RATES = {str(rate): f"at {rate:,}/s" for rate in RATES} | {HALF: _AT_HALF}


def field_table(run: Results) -> Rows:
    rates = _RATES.values()
    table = [["", "requests/s", "CPU a request, µs", *rates]]
    for row in run.rows:
        if not row.cpu:
            table.append([row.name, "missing", *[""] * (len(rates) + 1)])
            continue
        latencies = [_latency(row, name) for name in _RATES]
        table.append([row.name, _saturated(row), number(statistics.median(row.cpu)), *latencies])
    return table


def paced_table(run: Results) -> Rows:
    """CPU of a request, in µs, where requests come one by one; rows that were paced."""
    table = [["CPU a request, µs", "saturated", *_RATES.values()]]
    for row in run.rows:
        if row.paced:
            paced = [row.paced[name].cpu if name in row.paced else [] for name in _RATES]
            cells = [number(statistics.median(cpu)) if cpu else _NOTHING for cpu in paced]
            table.append([row.name, number(statistics.median(row.cpu)), *cells])
    return table


def server_table(run: Results) -> Rows:
    table = [["", "what it is", "memory, MB"]]
    for server in run.servers:
        what = f"missing: {server.missing}" if server.missing else server.version
        table.append([server.name, what, _NOTHING if server.missing else number(server.memory)])
    return table


def figure_table(run: Results) -> Rows:
    rows = [
        [figure.what, f"{number(figure.measured)} {figure.unit}".strip()] for figure in run.figures
    ]
    return [["", "measured"], *rows]


def threshold_table(run: Results) -> Rows:
    table = [["what must hold", "measured", "at most", "aimed at", ""]]
    for verdict in thresholds.verdicts(run):
        values = (verdict.measured, verdict.most, verdict.aim)
        cells = [_NOTHING if value is None else number(value) for value in values]
        unit = f" ({verdict.unit})" if verdict.unit else ""
        table.append([verdict.what + unit, *cells, str(verdict)])
    return table


_RATE = "1000"
_SHOWN = {
    "ipgate, http2 engine": "ipgate, engine http2",
    "ipgate, http2 engine, TLS": "the same with TLS",
    "ipgate, http2 engine, batches of 100": "the same, a question of a batch of 100",
    "ipgate, grpcio engine": "ipgate, engine grpcio",
    "Go grpc-go, empty handler": "grpc-go, a handler that does nothing",
    "Cerbos, 3 ranges": "Cerbos, 3 ranges",
    "Cerbos, 1,000 ranges": "Cerbos, 1,000 ranges",
    "OPA, 10 ranges": "Open Policy Agent, 10 ranges",
    "OPA, 1,000 ranges": "Open Policy Agent, 1,000 ranges",
}
"""The rows that an operator looks for, in these words."""


def operators_table(run: Results) -> Rows:
    table = [["server", "requests/s of a core", "CPU of a request, µs", "p50 / p99 at 1,000/s, ms"]]
    for name, words in _SHOWN.items():
        row = run.row(name)
        if row is not None:
            cpu = number(statistics.median(row.cpu))
            table.append([words, _saturated(row), cpu, _latency(row, _RATE)])
    return table


def front_page(run: Results) -> str:
    """Return what stands between the markers of README.md."""
    row, measured = run.row("ipgate, http2 engine"), {figure.what: figure for figure in run.figures}
    assert row is not None
    cpu = number(statistics.median(row.cpu))
    travel = number(measured["change acknowledged -> 2 servers answer by it, p99"].measured)
    key = number(measured["memory of a held key, beside its lists"].measured)
    ranges = number(measured["memory held, 100,000 ranges"].measured)
    lines = [
        f"- **CPU:** {cpu} µs for an `Authorize` call, so a core answers {_saturated(row)} calls a second.",
        f"- **Time:** a change is in force on two servers {travel} ms after it was acknowledged, at the 99th percentile.",
        f"- **Memory:** {key} bytes for each API key and {ranges} bytes for each range, in each worker.",
    ]
    where = f"{run.machine['processor']}, {run.machine['date']}"
    return "\n".join(lines) + f"\n\n`make bench` measured this ({where}).\n"


def operators_page(run: Results) -> str:
    """What stands between the markers of docs/performance.md."""
    return f"{_markdown(operators_table(run))}\n\nMeasured on {run.machine['processor']}, {run.machine['date']}.\n"


def markdown(run: Results) -> str:
    """What stands between the markers of bench/README.md."""
    machine = "; ".join(f"{name}: {value}" for name, value in run.machine.items())
    parts = [f"Measured on: {machine}.", "p50 / p99 in ms:", _markdown(field_table(run))]
    parts += [
        _markdown(table(run))
        for table in (paced_table, server_table, threshold_table, figure_table)
    ]
    return "\n\n".join(parts) + "\n"


def show(run: Results, *, whole: bool) -> None:
    """Prints the tables; if not all was measured, without what was left out."""
    console = Console(width=150)
    console.print()
    for table in (field_table, paced_table, server_table, figure_table, threshold_table):
        heading, *all_rows = table(run)
        rows = [row for row in all_rows if whole or not row[-1].startswith("not measured")]
        if rows:
            shown = Table(*heading, box=None, header_style="bold")
            for row in rows:
                shown.add_row(*row)
            console.print(shown)
            console.print()


def write(run: Results) -> None:
    pages = ((FRONT, front_page(run)), (PAGE, operators_page(run)), (RAW, markdown(run)))
    for page, content in pages:
        before, _, rest = page.read_text().partition(BEGIN)
        after = rest.partition(END)[2]
        page.write_text(f"{before}{BEGIN}{content}{END}{after}")
    PLOT.write_text(plot.draw(run))


def _saturated(row: Row) -> str:
    rps, cpu = statistics.median(row.rps), statistics.median(row.cpu)
    # A server that idled could have answered more.
    return f"{'> ' if rps * cpu < _BUSY * 1e6 else ''}{number(rps)}"


def _latency(row: Row, name: str) -> str:
    if name not in row.paced:
        return _NOTHING
    paced = row.paced[name]
    if not paced.kept():
        return "not kept"
    both = (number(statistics.median(nanoseconds) / 1000) for nanoseconds in (paced.p50, paced.p99))
    full = statistics.median(paced.cpu) * paced.rate > _FULL * 1e6
    return " / ".join(both) + (" (core full)" if full else "")


def _markdown(table: Rows) -> str:
    heading, *rows = table
    lines = [heading, ["---", *["---:"] * (len(heading) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


if __name__ == "__main__":
    write(results.load(results.LATEST.read_text()))
