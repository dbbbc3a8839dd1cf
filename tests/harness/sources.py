"""The source files of both distributions, for tests that read them."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCES = tuple(
    path
    for package in (
        "service/ipgate",
        "clients/python/ipgate/domain",
        "clients/python/ipgate_client",
    )
    for path in sorted((ROOT / package).rglob("*.py"))
)
