"""The configuration that the supervisor hands to a worker, as one line of JSON."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ipgate.engines.listen_address import ListenAddress
from ipgate.engines.tls import TlsFiles
from ipgate.settings import Settings

READY = b"ready\n"
"""What a worker writes to its standard output when it serves; its heartbeats are empty lines after that."""


@dataclass(frozen=True, slots=True)
class WorkerConfig:
    """What a worker needs to know.

    `root_sha256`: digest of the root token, never the token itself. `worker`: its name in the registry of
    workers. `metrics`: the descriptor of the memory that it counts in, -1 for none.
    """

    settings: Settings
    store_url: str
    listen_address: ListenAddress
    root_sha256: str
    worker: str
    tls: TlsFiles | None = None
    metrics: int = -1

    def to_json(self) -> str:
        return json.dumps(asdict(self), default=str)

    @classmethod
    def from_json(cls, text: str) -> "WorkerConfig":
        values: dict[str, Any] = json.loads(text)
        settings = values.pop("settings")
        settings["data_dir"] = Path(settings["data_dir"])
        tls, listen_address = values.pop("tls"), ListenAddress(**values.pop("listen_address"))
        return cls(
            Settings(**settings),
            listen_address=listen_address,
            tls=tls and TlsFiles(**tls),
            **values,
        )
