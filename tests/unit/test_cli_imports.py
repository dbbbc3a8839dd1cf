"""Commands start quickly, because they import what they need only."""

import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    ("modules", "unneeded"),
    [
        ("ipgate.cli.main", {"grpc", "google.protobuf", "rich", "redis", "asyncio"}),
        ("ipgate.cli.health", {"rich", "redis", "uvloop"}),
        ("ipgate.cli.authorize", {"redis", "uvloop"}),
        ("ipgate.app.supervisor", {"grpc", "uvloop", "ngh2", "rich"}),
    ],
)
def test_a_command_imports_only_what_it_needs(modules: str, unneeded: set[str]) -> None:
    """Imports are most of the time that a command takes."""
    code = f"import sys, {modules}; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    assert not unneeded & set(loaded)
