"""The plot of a run, as SVG: CPU of a request, and latencies at fixed rates, on logarithmic scales."""

import math
import statistics
from collections.abc import Iterator
from html import escape
from itertools import groupby

from bench.figures import number
from bench.results import HALF, Results, Row

WIDTH = 880
_LEFT, _RIGHT = 300, 110
_TOP, _LINE, _GAP = 64, 22, 26
_PANEL = 78
_NOT_AGAIN = (
    "Envoy RBAC filter, 3 ranges",
    "naive service, 3 ranges",
    "naive service, 1,000 ranges",
    "Cerbos, 3 ranges",
    "Cerbos, 1,000 ranges",
    "Cerbos, 1,000 expressions, the last matches",
    "grpc.aio, empty handler, scheduled like ipgate",
)
"""The latencies of these are in the table; in the plot their neighbours stand for them."""

_STYLE = """
  text { font: 13px system-ui, -apple-system, "Segoe UI", Helvetica, Arial, sans-serif; fill: #656d76 }
  .title { font-size: 15px; font-weight: 600 }
  .small { font-size: 11px; fill: #768390 }
  .grid { stroke: #8c959f; stroke-opacity: .3 }
  .ours { fill: #1f6feb; stroke: #1f6feb }
  .floor { fill: #8c959f; stroke: #8c959f }
  .other { fill: #d4803c; stroke: #d4803c }
  .bold { font-weight: 600 }
  line.ours, line.floor, line.other { stroke-width: 3; stroke-opacity: .45 }
  circle.hollow { fill-opacity: 0; stroke-width: 2 }
  @media (prefers-color-scheme: dark) {
    text { fill: #d1d7e0 }
    .small { fill: #9198a1 }
    .ours { fill: #4c9aff; stroke: #4c9aff }
  }
"""


class Scale:
    """Logarithmic, from `low` to `high`, over the width of a panel."""

    def __init__(self, values: list[float]) -> None:
        self.low = 10 ** math.floor(math.log10(min(values) / 1.5))
        self.high = max(values) * 1.1

    def x(self, value: float) -> float:
        share = math.log(value / self.low) / math.log(self.high / self.low)
        return _LEFT + share * (WIDTH - _LEFT - _RIGHT)

    def ticks(self) -> Iterator[float]:
        tick = self.low
        while tick <= self.high:
            yield tick
            tick *= 10


def draw(run: Results) -> str:
    measured = [row for row in run.rows if row.cpu]
    cpu, height = _cpu_panel(measured, _TOP)
    latency, height = _latency_panel(measured, height + _PANEL)
    parts = [*cpu, *latency]
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:g}" '
        f'width="{WIDTH}" height="{height:g}" role="img">'
    )
    title = "<title>CPU of a request, and latencies at fixed rates</title>"
    return "\n".join([head, title, f"<style>{_STYLE}</style>", *parts, "</svg>\n"])


def _cpu_panel(rows: list[Row], top: float) -> tuple[list[str], float]:
    values = {row.name: statistics.median(row.cpu) for row in rows}
    scale = Scale(list(values.values()))
    rows = sorted(rows, key=lambda row: values[row.name])
    bottom = top + _LINE * len(rows)
    parts = [
        _text(16, 28, "CPU of the server for a request, µs (less is better)", "title"),
        *_legend(50),
        *_grid(scale, top, bottom),
    ]
    for index, row in enumerate(rows):
        y, end = top + _LINE * index, scale.x(values[row.name])
        parts += [
            _label(row, y + 15),
            _bar(_LEFT, y + 4, max(1, end - _LEFT), _LINE - 8, _kind(row)),
            _text(end + 6, y + 15, number(values[row.name]), "small"),
        ]
    return parts, bottom + 24


def _latency_panel(rows: list[Row], top: float) -> tuple[list[str], float]:
    points = [
        (name, row)
        for row in rows
        for name, paced in row.paced.items()
        if paced.kept() and row.name not in _NOT_AGAIN
    ]
    if not points:
        return [], top
    names = sorted({name for name, _ in points}, key=lambda name: (name == HALF, len(name), name))
    values = [
        statistics.median(milliseconds) / 1000
        for name, row in points
        for milliseconds in (row.paced[name].p50, row.paced[name].p99)
    ]
    scale = Scale(values)
    parts, y = list[str](), top
    ordered = sorted(points, key=lambda point: (names.index(point[0]), _p99(point[1], point[0])))
    for name, group in groupby(ordered, key=lambda point: point[0]):
        rate = "half of what each can do" if name == HALF else f"{int(name):,} requests a second"
        y += _GAP
        parts.append(_text(16, y - 8, f"at {rate}", "bold"))
        for _, row in group:
            parts += _dumbbell(row, name, scale, y)
            y += _LINE
    title = "Latency, ms: p50 (ring) to p99 (dot)"
    return [_text(16, top - 16, title, "title"), *_grid(scale, top + 6, y), *parts], y + 28


def _dumbbell(row: Row, name: str, scale: Scale, y: float) -> list[str]:
    paced, kind, middle = row.paced[name], _kind(row), y + 11
    low = statistics.median(paced.p50) / 1000
    high = _p99(row, name)
    rate = f" ({paced.rate:,}/s)" if name == HALF else ""
    return [
        _label(row, y + 15),
        _line(scale.x(low), middle, scale.x(high), middle, kind),
        f'<circle cx="{scale.x(low):.1f}" cy="{middle:g}" r="4" class="{kind} hollow"/>',
        f'<circle cx="{scale.x(high):.1f}" cy="{middle:g}" r="4.5" class="{kind}"/>',
        _text(scale.x(high) + 10, y + 15, f"{number(high)}{rate}", "small"),
    ]


def _p99(row: Row, name: str) -> float:
    """In ms."""
    return statistics.median(row.paced[name].p99) / 1000


def _grid(scale: Scale, top: float, bottom: float) -> Iterator[str]:
    for tick in scale.ticks():
        x = scale.x(tick)
        yield _line(x, top, x, bottom, "grid")
        yield _text(x, bottom + 15, f"{tick:,.10g}", "small", anchor="middle")


def _legend(y: float) -> Iterator[str]:
    x = 16
    for kind, what in (("ours", "ipgate"), ("other", "others"), ("floor", "decides nothing")):
        yield _bar(x, y - 9, 10, 10, kind)
        yield _text(x + 16, y, what, "small")
        x += 16 + 8 * len(what) + 12


def _kind(row: Row) -> str:
    if row.name.startswith("ipgate"):
        return "ours"
    return "floor" if "empty" in row.name or "direct" in row.name else "other"


def _label(row: Row, y: float) -> str:
    kind = "bold" if row.name.startswith("ipgate") else ""
    return _text(_LEFT - 10, y, row.name, kind, anchor="end")


def _bar(x: float, y: float, width: float, height: float, kind: str) -> str:
    size = f'width="{width:.1f}" height="{height:g}"'
    return f'<rect x="{x:g}" y="{y:g}" {size} rx="2" class="{kind}"/>'


def _line(x1: float, y1: float, x2: float, y2: float, kind: str) -> str:
    ends = f'x1="{x1:.1f}" y1="{y1:g}" x2="{x2:.1f}" y2="{y2:g}"'
    return f'<line {ends} class="{kind}"/>'


def _text(x: float, y: float, text: str, kind: str = "", *, anchor: str = "start") -> str:
    return (
        f'<text x="{x:.1f}" y="{y:g}" text-anchor="{anchor}" class="{kind}">{escape(text)}</text>'
    )
