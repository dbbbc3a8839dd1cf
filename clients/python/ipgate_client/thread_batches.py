"""Questions of many threads, gathered: while one batch is in flight, the next one gathers."""

import threading
import time
from collections.abc import Callable, Sequence

import grpc
from ipgate.v1.authorize_pb2 import AuthorizeRequest

from ipgate_client.errors import CallFailed
from ipgate_client.questions import MAX_GATHERED, Result

MAX_GATHERING = 0.005
"""Seconds that a question waits for the batch in flight. One that is slow must not hold up the others."""

Send = Callable[[Sequence[AuthorizeRequest]], list[Result]]
"""Asks, and returns as many results. Raises nothing."""


class _Waiting:
    """A question of a thread, until it has its result. `asleep` is released to wake the thread."""

    __slots__ = ("asleep", "began", "is_gathered", "request", "result")

    def __init__(self, request: AuthorizeRequest) -> None:
        self.request = request
        self.result: Result | None = None
        self.is_gathered = True
        self.asleep = threading.Lock()
        self.asleep.acquire()
        self.began = time.monotonic()


class ThreadBatches:
    """The thread that finds no batch in flight sends what has gathered: its own question, at first.

    `timeout`: seconds after which `send` has returned.
    """

    def __init__(self, send: Send, timeout: float) -> None:
        self._send = send
        self._timeout = timeout
        self._lock = threading.Lock()
        self._gathered: list[_Waiting] = []
        self._in_flight = 0

    def ask(self, request: AuthorizeRequest) -> Result:
        """Return the result of a question."""
        own = _Waiting(request)
        with self._lock:
            self._gathered.append(own)
        give_up = own.began + 2 * self._timeout
        while own.result is None:
            with self._lock:
                batch = self._batch_of(own)
            if batch:
                self._answer(batch)
                continue
            if time.monotonic() > give_up:
                text = "the batch of this question had no answer in time"
                return CallFailed(grpc.StatusCode.DEADLINE_EXCEEDED, text)
            own.asleep.acquire(timeout=MAX_GATHERING if own.is_gathered else self._timeout)
        return own.result

    def _batch_of(self, own: _Waiting) -> list[_Waiting]:
        """Take what has gathered, if it is this question's turn; nothing otherwise."""
        if not own.is_gathered:
            return []
        if self._in_flight and time.monotonic() - own.began < MAX_GATHERING:
            return []
        batch, self._gathered = self._gathered[:MAX_GATHERED], self._gathered[MAX_GATHERED:]
        for waiting in batch:
            waiting.is_gathered = False
        return batch

    def _answer(self, batch: list[_Waiting]) -> None:
        results: list[Result] = []
        counted = False
        try:
            with self._lock:
                self._in_flight += 1
                counted = True
            results = self._send([waiting.request for waiting in batch])
        finally:
            if len(results) != len(batch):  # an interrupt, in the main thread
                interrupted = CallFailed(grpc.StatusCode.CANCELLED, "the batch was interrupted")
                results = [interrupted] * len(batch)
            with self._lock:
                self._in_flight -= counted
                for waiting, result in zip(batch, results, strict=True):
                    waiting.result = result
                # The first of those that gathered in the meantime sends them.
                for waiting in (*batch, *self._gathered[:1]):
                    if waiting.asleep.locked():
                        waiting.asleep.release()
