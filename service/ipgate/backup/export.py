"""Writes everything that the store holds into one file."""

import hashlib
import json
import tempfile
from collections import Counter
from collections.abc import Callable
from typing import IO, Any

from ipgate.backup import records
from ipgate.backup.errors import BackupError
from ipgate.backup.snapshot import Snapshot
from ipgate.backup.validation import validate
from ipgate.clock import Clock
from ipgate.domain.changes import Position
from ipgate.domain.shards import SHARDS
from ipgate.store.batch_reader import BatchReader
from ipgate.store.topology import Store

Progress = Callable[[int, int], None]


async def export(redis: Store, target: IO[bytes], progress: Progress) -> dict[str, int]:
    """Write the export to `target`, a file that can be read back; returns how many there are of which kind.

    Raises redis's errors; Unavailable when the store changes too fast; and BackupError for a damaged store,
    the export of which could not be imported.
    """
    with tempfile.TemporaryFile() as body:
        heads, counts = await _write_body(redis, body, progress)
        header = {
            "kind": "header",
            "format": records.FORMAT,
            "version": records.VERSION,
            "time": Clock().now(),
            "shards": [{"epoch": e, "rev": rev, "tip": tip} for e, rev, tip in map(_parts, heads)],
            "counts": {kind: counts[kind] for kind in records.KINDS},
        }
        sha256 = hashlib.sha256()
        lines = 0
        body.seek(0)
        for text in (records.line(header).encode(), *body):
            sha256.update(text)
            target.write(text)
            lines += 1
    trailer = {"kind": "trailer", "lines": lines, "sha256": sha256.hexdigest()}
    target.write(records.line(trailer).encode())
    target.flush()
    target.seek(0)
    validated = validate(target)
    if validated.violations:
        text = "the store is damaged, so that its export could not be imported; see ipgate doctor"
        raise BackupError(text, validated.lines())
    return dict(counts)


async def _write_body(
    redis: Store, body: IO[bytes], progress: Progress
) -> tuple[list[Position], Counter[str]]:
    """Return the lines of all resources, the tokens last."""
    reader = BatchReader(redis)
    total, done = int(await redis.dbsize()), 0
    heads, counts, workspaces = [], Counter[str](), set()
    tokens: list[records.Record] = []

    def count(read: int) -> None:
        nonlocal done
        done += read
        progress(done, max(done, total))

    for shard in range(SHARDS):
        snapshot = Snapshot(reader, shard, count)
        await snapshot.take()
        heads.append(snapshot.position)
        for name in sorted(snapshot.lines):
            text = snapshot.lines[name]
            kind = records.KINDS[name.rank]
            if kind == "token":
                tokens.append(json.loads(text))
                continue
            if kind == "workspace":
                workspaces.add(name.workspace)
            counts[kind] += 1
            body.write(text.encode())
    for token in sorted(tokens, key=lambda token: str(token["id"])):
        # A token may be of a workspace that came or went between the reading of their shards.
        if not token["workspace"] or token["workspace"] in workspaces:
            counts["token"] += 1
            body.write(records.line(token).encode())
    return heads, counts


def _parts(head: Position) -> tuple[Any, ...]:
    return head.epoch, head.sequence, head.change_id
