"""Runs tests with the lowest or the newest permitted version of every dependency: `bounds.py lowest|newest`.

The bounds are those of both `pyproject.toml`; tools of tests are the newest.
"""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
UV = Path(sys.executable).with_name("uv")
RESOLUTIONS = {"lowest": "lowest-direct", "newest": "highest"}
TOOLS = (
    *("hypothesis", "pytest", "pytest-asyncio", "pytest-timeout", "pytest-xdist", "pyyaml"),
    "trustme",
)
RUNS = {
    "http2": (
        "tests/cases/test_authorize.py",
        "tests/unit/test_guards.py",
        "tests/integration/test_client.py",
        "tests/integration/test_engines.py",
        "tests/integration/test_cli.py",
        "tests/integration/test_console.py",
    ),
    "grpcio": ("tests/cases/test_authorize.py",),
}
"""The tests by engine."""


def run(*command: str | Path) -> None:
    subprocess.run(command, check=True, cwd=ROOT)


def main(name: str) -> None:
    """Make `.bounds/NAME` and test in it."""
    directory = ROOT / ".bounds"
    python, versions = directory / name / "bin" / "python", directory / f"{name}.txt"
    run(UV, "venv", "--quiet", "--clear", "--python", sys.executable, directory / name)
    compile_ = (UV, "pip", "compile", "--quiet", "--upgrade", "--python", python)
    resolution = ("--resolution", RESOLUTIONS[name], "--no-emit-package", "ipgate-client")
    extras = ("--extra", "embedded", "--extra", "console", "--extra", "fastapi")
    sources = ("pyproject.toml", "clients/python/pyproject.toml")
    run(*compile_, *resolution, *extras, *sources, "--output-file", versions)
    # The client's own bounds, where they are lower, are tested with its wheel.
    install = (UV, "pip", "install", "--quiet", "--compile-bytecode", "--python", python)
    run(*install, "--requirements", versions, *TOOLS, "--editable", "clients/python")
    run(*install, "--no-deps", "--editable", ".")
    for engine, tests in RUNS.items():
        environment = ("env", f"IPGATE_TEST_ENGINE={engine}")
        run(*environment, python, "-m", "pytest", "-n3", "--dist", "worksteal", *tests)


if __name__ == "__main__":
    main(*sys.argv[1:])
