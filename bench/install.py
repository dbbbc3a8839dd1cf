"""Contenders that are not Python packages, installed into .bench/ when they are first needed."""

import os
import shutil
import subprocess
from functools import cache
from pathlib import Path

from bench.processes import Missing

ROOT = Path(__file__).parent.parent
GO_SOURCE = ROOT / "bench" / "go_echo"
_INSTALLED = ROOT / ".bench"
_NPM_SOURCE = ROOT / "bench" / "npm"
_PATIENCE = 300


@cache
def npm_packages() -> Path:
    """The folder of the packages that bench/npm locks. Raises Missing."""
    target = _INSTALLED / "npm"
    lock, done = _NPM_SOURCE / "package-lock.json", target / "installed-lock.json"
    if not done.exists() or done.read_bytes() != lock.read_bytes():
        target.mkdir(parents=True, exist_ok=True)
        for source in (_NPM_SOURCE / "package.json", lock):
            shutil.copy(source, target)
        _run("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", cwd=target)
        shutil.copy(lock, done)
    return target / "node_modules"


@cache
def go_install(package: str) -> Path:
    """A program of a Go module, `path@version`. Raises Missing."""
    target = _INSTALLED / "go" / package.replace("/", "+")
    program = target / Path(package.partition("@")[0]).name
    if not program.exists():
        target.mkdir(parents=True, exist_ok=True)
        _run("go", "install", package, cwd=target, GOBIN=str(target), GOFLAGS="-mod=mod")
    return program


@cache
def go_program() -> Path:
    """The echo server, built. Raises Missing."""
    program = _INSTALLED / "go_echo"
    _run("go", "build", "-o", str(program), ".", cwd=GO_SOURCE)
    return program


def _run(program: str, *arguments: str, cwd: Path, **variables: str) -> None:
    if shutil.which(program) is None:
        raise Missing(f"{program} is not installed")
    try:
        subprocess.run(
            [program, *arguments],
            cwd=cwd,
            env=os.environ | variables,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=True,
            timeout=_PATIENCE,
        )
    except subprocess.TimeoutExpired as error:
        raise Missing(f"{program} {arguments[0]} took over {_PATIENCE} s") from error
    except subprocess.CalledProcessError as error:
        raise Missing(f"{program} {arguments[0]} failed: {_cause(error.stderr)}") from error


def _cause(said: str) -> str:
    """The first line of an error: npm ends with where its log is, go begins with a heading."""
    lines = (line.strip() for line in said.splitlines())
    return next((line for line in lines if line and not line.startswith(("#", "npm warn"))), "")
