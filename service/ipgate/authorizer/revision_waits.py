"""Bounds the calls that wait for a revision.

A caller can invent revisions, and each wait takes a slot of `max-concurrent-calls`.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from ipgate.domain.errors import LimitExceeded
from ipgate.domain.resources import Caller

MAX_PER_TOKEN = 64
MAX_PER_WORKSPACE = 256


class RevisionWaits:
    """The waits of one worker.

    Root's are bounded like those of any token.
    """

    def __init__(self) -> None:
        self._tokens: Counter[str] = Counter()
        self._workspaces: Counter[str] = Counter()
        self.refused = 0

    @contextmanager
    def waiting(self, caller: Caller) -> Iterator[None]:
        """Count a wait while it lasts.

        Raises: LimitExceeded.
        """
        token, workspace = caller.token, caller.workspace
        if self._tokens[token] >= MAX_PER_TOKEN:
            self.refused += 1
            raise _too_many("this access token", MAX_PER_TOKEN)
        if workspace and self._workspaces[workspace] >= MAX_PER_WORKSPACE:
            self.refused += 1
            raise _too_many("this workspace", MAX_PER_WORKSPACE)
        self._tokens[token] += 1
        self._workspaces[workspace] += 1
        try:
            yield
        finally:
            _leave(self._tokens, token)
            _leave(self._workspaces, workspace)


def _leave(counts: Counter[str], name: str) -> None:
    counts[name] -= 1
    if not counts[name]:
        del counts[name]


def _too_many(whose: str, limit: int) -> LimitExceeded:
    return LimitExceeded(
        f"{limit} calls of {whose} wait for a revision at this worker already; try again later"
    )
