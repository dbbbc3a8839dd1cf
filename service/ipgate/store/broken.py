"""Errors of a store that holds what ipgate did not write: its operator must act, not the caller."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from ipgate.domain.errors import Unavailable

log = logging.getLogger(__name__)


def broken(what: str) -> Unavailable:
    """Return the error of a call that met damage, which goes to the log."""
    log.error("store is not consistent; run ipgate doctor record=%r", what)
    return Unavailable("the store is not consistent; see the server's log", reason="STORE_BROKEN")


@contextmanager
def reading(what: str) -> Iterator[None]:
    """Report a stored record that cannot be read.

    Raises: Unavailable.
    """
    try:
        yield
    except (KeyError, TypeError, ValueError) as error:
        raise broken(f"{what} cannot be read ({error!r})") from error
