"""`ipgate doctor`, `ipgate export` and `ipgate import`: the commands that work on the store itself."""

import asyncio
import json as jsons
import os
import secrets
import shutil
import sys
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Annotated, Any, TypeVar

import typer
from rich.console import Console
from rich.progress import Progress

from ipgate.cli.endpoint import CliError
from ipgate.cli.options import Json
from ipgate.cli.output import print_table

PROBLEMS_FOUND = 1

T = TypeVar("T")
RedisUrl = Annotated[
    str,
    typer.Option(envvar="IPGATE_REDIS_URL", help="The store; if not given, the embedded one."),
]
PasswordFile = Annotated[
    str,
    typer.Option(envvar="IPGATE_REDIS_PASSWORD_FILE", help="File with the password of the store."),
]
DataDir = Annotated[
    Path, typer.Option(envvar="IPGATE_DATA_DIR", help="Directory of the embedded store.")
]
StoreBinary = Annotated[
    str,
    typer.Option(envvar="IPGATE_STORE_BINARY", help="Server program of the embedded store."),
]
_DATA_DIR = Path(".ipgate")


def doctor(
    redis_url: RedisUrl = "",
    redis_password_file: PasswordFile = "",
    data_dir: DataDir = _DATA_DIR,
    store_binary: StoreBinary = "",
    fix: Annotated[bool, typer.Option("--fix", help="Repair what can be repaired safely.")] = False,
    json: Json = False,
) -> None:
    """Examine the store itself; exit with 0 if all is well, 1 if something is wrong, 2 for an error.

    Example: ipgate doctor --fix
    """
    from ipgate.doctor.examination import Report, examine  # noqa: PLC0415
    from ipgate.doctor.memory import BYTES_PER_KEY, BYTES_PER_RANGE  # noqa: PLC0415

    async def run(redis: Any) -> Report:
        with _progress("Examining keys") as progress:
            return await examine(redis, fix=fix, progress=progress)

    report = _on_store(redis_url, redis_password_file, data_dir, store_binary, run)
    rows = [(finding, "repaired") for finding in report.repaired]
    rows += [(finding, _state(finding)) for finding in report.remaining]
    if json:
        findings = [
            {
                "key": finding.key,
                "problem": finding.problem.name,
                "detail": finding.detail,
                "remedy": finding.problem.value.text,
                "state": state,
            }
            for finding, state in rows
        ]
        answer = {
            "examined": report.examined,
            "findings": findings,
            "worker_bytes": report.stock.worker_bytes(),
        }
        print(jsons.dumps(answer, indent=2))
    else:
        if rows:
            print_table(
                ("KEY", "PROBLEM", "WHAT IS WRONG", "STATE", "REMEDY"),
                (
                    (
                        finding.key,
                        finding.problem.name,
                        finding.detail,
                        state,
                        finding.problem.value.text,
                    )
                    for finding, state in rows
                ),
            )
        wrong, repaired = len(report.remaining), len(report.repaired)
        print(f"{report.examined} keys examined, {repaired} findings repaired, {wrong} remain")
        keys, ranges = report.stock
        print(
            f"memory for policies: workers x ({BYTES_PER_KEY} bytes x {keys:,} API keys + "
            f"{BYTES_PER_RANGE} bytes x {ranges:,} ranges) = workers x {report.stock.worker_bytes() / 1e6:,.1f} MB"
        )
    if report.remaining:
        raise typer.Exit(PROBLEMS_FOUND)


def export_store(
    file: Annotated[str, typer.Argument(help="File to write, '-' for standard output.")] = "-",
    redis_url: RedisUrl = "",
    redis_password_file: PasswordFile = "",
    data_dir: DataDir = _DATA_DIR,
    store_binary: StoreBinary = "",
) -> None:
    """Write everything in the store to one file, while servers run.

    It holds digests, no secrets.

    Example: ipgate export backup.jsonl
    """
    from ipgate.backup.export import export  # noqa: PLC0415

    async def run(redis: Any) -> dict[str, int]:
        with _written(file) as target, _progress("BatchReader") as progress:
            return await export(redis, target, progress)

    print(
        f"exported {_counted(_on_store(redis_url, redis_password_file, data_dir, store_binary, run))}",
        file=sys.stderr,
    )


def import_store(
    file: Annotated[Path, typer.Argument(help="File that ipgate export wrote.")],
    redis_url: RedisUrl = "",
    redis_password_file: PasswordFile = "",
    data_dir: DataDir = _DATA_DIR,
    store_binary: StoreBinary = "",
    restart: Annotated[
        bool, typer.Option("--restart", help="Begin an interrupted import again.")
    ] = False,
) -> None:
    """Restore an export into an empty store; all of it, or nothing that is ever served.

    Example: ipgate import backup.jsonl --redis-url redis://localhost:6379
    """
    from ipgate.backup.restore import restore  # noqa: PLC0415

    async def run(redis: Any) -> dict[str, int]:
        try:
            with file.open("rb") as source, _progress("Checking and writing") as progress:
                return await restore(redis, source, restart=restart, progress=progress)
        except OSError as error:
            raise CliError(f"{file}: {error.strerror}") from error

    if file.exists() and not file.is_file():
        raise CliError(f"{file} is not a regular file; an import reads it twice")
    counts = _on_store(redis_url, redis_password_file, data_dir, store_binary, run, create=True)
    print(f"imported {_counted(counts)}", file=sys.stderr)


def reset_root(
    redis_url: RedisUrl = "",
    redis_password_file: PasswordFile = "",
    data_dir: DataDir = _DATA_DIR,
    store_binary: StoreBinary = "",
) -> None:
    """Make a new root token; the former one is not valid any more.

    Works on the store itself.

    The token is kept in the data directory of the embedded store, and printed for any other store.

    Example: ipgate token reset-root --redis-url redis://localhost:6379
    """
    from ipgate.app.root_token import new_token, replace_kept  # noqa: PLC0415
    from ipgate.clock import Clock  # noqa: PLC0415
    from ipgate.store.root import RootStore  # noqa: PLC0415
    from ipgate.store.scripts import Scripts  # noqa: PLC0415

    token, sha256 = new_token()

    async def run(redis: Any) -> None:
        await RootStore(Scripts(redis, Clock())).replace(sha256)

    _on_store(redis_url, redis_password_file, data_dir, store_binary, run)
    if redis_url:
        print(f"{token}\nThis is the root token. Keep it now: it is not shown again.")
    else:
        replace_kept(data_dir / "root-token", token)
        print(f"the new root token is in {data_dir / 'root-token'}")


@contextmanager
def _written(file: str) -> Iterator[IO[bytes]]:
    """Open a new file that takes its name once it is complete; "-" is standard output.

    Raises: CliError.
    """
    if file == "-":
        try:
            with tempfile.TemporaryFile() as draft:
                yield draft
                draft.seek(0)
                shutil.copyfileobj(draft, sys.stdout.buffer)
                sys.stdout.buffer.flush()
        except OSError as error:
            raise CliError(f"standard output: {error.strerror}") from error
        return
    path = Path(file)
    draft_path = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        descriptor = os.open(draft_path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(descriptor, "w+b") as named:
                yield named
                named.flush()
                os.fsync(named.fileno())
            draft_path.replace(path)
            _sync_directory(path.parent)
        finally:
            draft_path.unlink(missing_ok=True)
    except OSError as error:
        raise CliError(f"{file}: {error.strerror}") from error


def _sync_directory(directory: Path) -> None:
    """So that the new name survives a crash of the machine."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _counted(counts: dict[str, int]) -> str:
    names = {"workspace": "workspaces", "list": "lists", "key": "API keys", "token": "tokens"}
    return ", ".join(f"{counts.get(kind, 0)} {name}" for kind, name in names.items())


def _state(finding: Any) -> str:
    return "can be repaired" if finding.problem.value.is_automatic else "needs you"


def _on_store(
    redis_url: str,
    password_file: str,
    data_dir: Path,
    store_binary: str,
    run: Callable[[Any], Awaitable[T]],
    *,
    create: bool = False,
) -> T:
    """Run something on the store.

    Raises: CliError.
    """
    # The client commands start faster without these.
    from ipgate.backup.errors import BackupError  # noqa: PLC0415
    from ipgate.domain.errors import IpgateError  # noqa: PLC0415
    from ipgate.store.connection import UnusableStore, cause  # noqa: PLC0415
    from ipgate.store.offline import open_for_command  # noqa: PLC0415
    from ipgate.store.topology import FAULTS  # noqa: PLC0415

    async def main() -> T:
        async with open_for_command(
            redis_url,
            data_dir,
            password_file=password_file,
            store_binary=store_binary,
            create=create,
        ) as redis:
            return await run(redis)

    try:
        return asyncio.run(main())
    except (UnusableStore, IpgateError, BackupError) as error:
        raise CliError(str(error)) from error
    except FAULTS as error:
        raise CliError(f"the store failed: {cause(error)}") from error


@contextmanager
def _progress(what: str) -> Iterator[Callable[[int, int], None]]:
    """Show progress on standard error, where that is a terminal."""
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(what, total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)
