"""What a supervisor hands to a worker that it starts, as one line of JSON."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ipgate.engines.place import Place
from ipgate.engines.tls import TlsFiles
from ipgate.settings import Settings


@dataclass(frozen=True, slots=True)
class Orders:
    """What the supervisor tells a worker. The root token itself is not among it."""

    settings: Settings
    store_url: str
    place: Place
    root_sha256: str
    worker: str
    """Its name in the register of workers."""
    tls: TlsFiles | None = None

    def to_json(self) -> str:
        return json.dumps(asdict(self), default=str)

    @classmethod
    def from_json(cls, text: str) -> "Orders":
        values: dict[str, Any] = json.loads(text)
        settings = values.pop("settings")
        settings["data_dir"] = Path(settings["data_dir"])
        tls, place = values.pop("tls"), Place(**values.pop("place"))
        return cls(Settings(**settings), place=place, tls=tls and TlsFiles(**tls), **values)
