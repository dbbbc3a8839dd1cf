"""Which API keys a search wants."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from functools import partial

from ipgate.domain.resources import Access, ApiKey
from ipgate.store.attribute_indexes import Scan, expired
from ipgate.store.search import Part, by_prefix


class KeyState(Enum):
    """What an API key is, whatever its lists are; one that is disabled and has expired is both."""

    ENABLED = "ENABLED"
    DISABLED = "DISABLED"
    EXPIRED = "EXPIRED"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyFilter:
    """`query`: a prefix of the id or display name, "" for any. `access`, `state`: None for any. `now`: ns since 1970."""

    query: str = ""
    access: Access | None = None
    state: KeyState | None = None
    now: int

    def accepts(self, key: ApiKey) -> bool:
        if self.access not in (None, key.access):
            return False
        has_expired = key.expire_time is not None and key.expire_time <= self.now
        match self.state:
            case KeyState.ENABLED:
                return not key.disabled and not has_expired
            case KeyState.DISABLED:
                return key.disabled
            case KeyState.EXPIRED:
                return has_expired
        return True

    def _accepts_too(self, accept: Callable[[ApiKey], bool], key: ApiKey) -> bool:
        return accept(key) and self.accepts(key)

    def parts(self) -> list[Part[ApiKey]]:
        """Return the parts of indexes to search: the smallest ones that have all such keys."""
        if self.query:
            parts = by_prefix("keys", "keys-by-name", self.query)
            return [(scan, partial(self._accepts_too, accept)) for scan, accept in parts]
        scan = Scan("keys")
        if self.state is KeyState.DISABLED:
            scan = Scan("disabled-keys")
        elif self.state is KeyState.EXPIRED:
            scan = expired(self.now)
        elif self.access not in (None, Access.LISTS):
            scan = Scan("unlinked")
        return [(scan, self.accepts)]
