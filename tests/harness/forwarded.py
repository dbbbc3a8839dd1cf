"""The cases of client addresses behind proxies, which server, client library and gateways share."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.harness.sources import ROOT


@dataclass(frozen=True)
class Case:
    """`address`: "" if none follows."""

    name: str
    description: str
    trusted_proxies: tuple[str, ...]
    peer: str
    x_forwarded_for: tuple[str, ...]
    forwarded: tuple[str, ...]
    address: str

    def headers(self) -> list[tuple[str, str]]:
        return [("X-Forwarded-For", value) for value in self.x_forwarded_for] + [
            ("Forwarded", value) for value in self.forwarded
        ]


def files() -> list[Path]:
    return sorted((ROOT / "tests" / "cases" / "forwarded").glob("*.yaml"))


def cases(path: Path) -> list[Case]:
    """The cases of a file, which all have the same trusted proxies."""
    document = yaml.safe_load(path.read_text())
    return [
        Case(
            name=f"{path.stem}: {case['description']}",
            description=case["description"],
            trusted_proxies=tuple(document["trusted_proxies"]),
            peer=case["peer"],
            x_forwarded_for=_values(case, "x_forwarded_for"),
            forwarded=_values(case, "forwarded"),
            address=case["address"] or "",
        )
        for case in document["cases"]
    ]


def all_cases() -> list[Case]:
    return [case for path in files() for case in cases(path)]


def _values(case: dict[str, Any], header: str) -> tuple[str, ...]:
    return tuple(
        value
        if isinstance(value, str)
        else value.get("separator", ",").join([value["value"]] * value["repeat"])
        for value in case.get(header, ())
    )
