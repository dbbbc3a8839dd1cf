"""What the audit log holds of a change, and for how long."""

from dataclasses import dataclass
from typing import Any

from ipgate.domain.writing import WriteOptions
from ipgate.store.schema import Schema


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditSettings:
    """`most_bytes`: of the events of a shard. `most_seconds`: their age. `peers`: whether they name the caller's address."""

    most_bytes: int = 32 << 20
    most_seconds: int = 400 * 86_400
    peers: bool = True

    def arguments(self, schema: Schema, options: WriteOptions, resource: str) -> dict[str, Any]:
        """Return what a script needs for the event of a change."""
        return {
            "kind": schema.kind,
            "fields": [field.name for field in schema.fields if field.attribute],
            "actor": options.actor.token,
            "role": options.actor.role.value,
            "peer": options.peer if self.peers else "",
            "request": options.correlation_id,
            "method": options.method,
            "resource": resource,
            "most_bytes": self.most_bytes,
            "most_seconds": self.most_seconds,
        }
