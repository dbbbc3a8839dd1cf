"""Exports and imports through the commands, and export files made by hand."""

import hashlib
import json
import os
import subprocess
from pathlib import Path
from typing import Any

from ipgate.domain.shards import shard_of

from tests.harness.servers import IPGATE

Lines = list[dict[str, Any]]


def ipgate(*arguments: str | Path, code: int = 0) -> str:
    """What a command prints on standard error; checks the exit code."""
    command = [str(IPGATE), *map(str, arguments)]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=120, env=os.environ
    )
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr


def exported(url: str, file: Path) -> Lines:
    """An export of the store, line by line."""
    ipgate("export", file, "--redis-url", url)
    return [json.loads(line) for line in file.read_text().splitlines()]


def write(file: Path, lines: Lines) -> None:
    """The lines as a file whose trailer is right."""
    body = "".join(json.dumps(line) + "\n" for line in lines if line.get("kind") != "trailer")
    trailer = {
        "kind": "trailer",
        "lines": body.count("\n"),
        "sha256": hashlib.sha256(body.encode()).hexdigest(),
    }
    file.write_text(body + json.dumps(trailer) + "\n")


def credential(index: int) -> str:
    """The credential of the key number `index` of `large`."""
    return f"the credential of key {index}"


def large(keys: int, ranges: int) -> Lines:
    """An export of one workspace `large`, with keys linked to one list."""
    stamps = {"created": 1, "updated": 2, "etag": "0123456789abcdef", "rev": 7}
    lines: Lines = [
        {
            "kind": "header",
            "format": "ipgate-export",
            "version": 2,
            "time": 3,
            "shards": [{"epoch": "a" * 16, "rev": 9, "tip": "b" * 16}] * 16,
            "counts": {"workspace": 1, "list": 1, "key": keys, "token": 0},
        },
        {"kind": "workspace", "id": "large", "display_name": "", "require_allow_list": False,
         "default_enabled": False, "default_list": "", "default_report_only": False,
         "ipv6_enabled": False, **stamps},
        {"kind": "list", "workspace": "large", "id": "l", "display_name": "L", "folded": "l", "description": "d",
         "ranges": [f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}" for n in range(ranges)], **stamps},
    ]  # fmt: skip
    for index in range(keys):
        digest = hashlib.sha256(credential(index).encode()).hexdigest()
        lines.append(
            {"kind": "key", "workspace": "large", "id": f"k{index:06}", "display_name": "", "folded": "",
             "disabled": False, "expire": None, "report_only": False, "digest": digest, "previous_digest": "",
             "previous_expire": None, "lists": ["l"], **stamps}
        )  # fmt: skip
    return lines


LARGE_SHARD = shard_of("large")
