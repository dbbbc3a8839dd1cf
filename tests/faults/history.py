"""What was seen from outside: every change and every answer, with the time of its start and end."""

import threading
import time
from dataclasses import dataclass, field

from ipgate.domain.revision import Revision, parse_revision

from tests.faults.model import Expected, Policy


def now() -> float:
    """Seconds, on the clock that the workers judge staleness by."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


@dataclass
class Change:
    """A change of a workspace. `revision` is None when its outcome is not known."""

    began: float
    ended: float
    after: Policy
    revision: Revision | None


@dataclass
class Answer:
    """An answer of Authorize. `key` is the id that was asked about; `credential` if by credential.

    `wall`: ns since 1970 at which it was asked and answered, by which ranges are judged.
    """

    began: float
    ended: float
    wall: tuple[int, int]
    workspace: str
    key: str
    credential: str
    ip: str
    wanted: Revision | None
    revision: Revision | None
    said: Expected
    server: str


@dataclass
class Workspace:
    """The changes of a workspace in their order: one writer makes them, one after the other. The last
    one may be of unknown outcome; no other is made after it."""

    name: str
    changes: list[Change] = field(default_factory=list)
    given_up: bool = False

    @property
    def policy(self) -> Policy:
        return self.changes[-1].after

    def last_known(self) -> Change | None:
        return next((change for change in reversed(self.changes) if change.revision), None)


@dataclass
class TokenUse:
    """A call with an access token that was accepted, and when that token was revoked, if it was."""

    began: float
    revoked: float | None


class History:
    """All that was recorded. Appending to a list is atomic."""

    def __init__(self) -> None:
        self.workspaces: list[Workspace] = []
        self.answers: list[Answer] = []
        self.refusals: dict[str, int] = {}
        self.faults: list[tuple[float, str]] = []
        self.recoveries: list[tuple[float, str]] = []
        self.token_uses: list[TokenUse] = []
        self._lock = threading.Lock()

    def refused(self, code: str) -> None:
        with self._lock:
            self.refusals[code] = self.refusals.get(code, 0) + 1

    def changes(self) -> int:
        return sum(len(workspace.changes) for workspace in self.workspaces)


def revision(token: str) -> Revision | None:
    return parse_revision("revision", token) if token else None
