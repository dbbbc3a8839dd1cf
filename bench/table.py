"""The figures of a run, beside what is aimed at."""

from dataclasses import dataclass

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True, slots=True)
class Figure:
    what: str
    measured: float
    unit: str
    target: float | None = None
    """At most this much."""

    def verdict(self) -> str:
        if self.target is None:
            return ""
        return "met" if self.measured <= self.target else "MISSED"


def show(figures: list[Figure]) -> None:
    table = Table(box=None, header_style="bold")
    for column in ("WHAT", "MEASURED", "TARGET", ""):
        table.add_column(column)
    for each in figures:
        target = "" if each.target is None else f"<= {each.target:g} {each.unit}"
        table.add_row(each.what, f"{each.measured:.3g} {each.unit}", target, each.verdict())
    Console(width=120).print(table)
