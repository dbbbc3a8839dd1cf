"""What callers may take of a worker, whichever engine serves it.

Times are in seconds.
"""

import resource

MAX_METADATA = 16 << 10
"""Bytes of a call's metadata."""

MAX_HEADERS = 128
"""Entries of it."""

MAX_STREAMS = 256
"""Concurrent calls on one connection."""

HANDSHAKE_TIMEOUT = 10
"""For a connection to get as far as HTTP/2."""

KEEPALIVE_TIME = 60
KEEPALIVE_TIMEOUT = 20
"""Pings find peers that have vanished. A connection whose peer does not answer is closed."""

IDLE_TIMEOUT = 600
"""For a connection without calls."""

MAX_AGE = 3600
MAX_AGE_GRACE = 60
"""For any connection, and for its calls after that: it ends those that never would."""

RESERVED_FILES = 200
"""Files that a worker needs open aside from its connections; those to the store are most of them."""


CHECK_CONNECTIONS = 500
"""Connections of gateways to the port of forward auth."""


def usable_connections(wanted: int, *, forward_auth: bool = False) -> int:
    """Return how many connections a worker may have, so that files are left for the store and for gateways."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return wanted
    return max(1, min(wanted, soft - RESERVED_FILES - CHECK_CONNECTIONS * forward_auth))


MAX_BACKLOG = 16 << 20
"""Bytes of answers that one connection may leave unread; further calls on it fail."""

AUTHENTICATION_TIMEOUT = 30
"""For a connection to carry a call with a good token, or a health call."""

AUTHENTICATION_GRACE = 5
"""For its last calls after that."""

MAX_UNAUTHENTICATED_PER_HOST, CROWDED_TIMEOUT = 64, 1.0
"""Connections of one peer address that have not, and seconds for those beyond: many callers behind one
address may connect at the same time, and need a moment for their first call."""

SPARE_CONNECTIONS = 8
"""Beyond `max-connections`, for health calls alone."""

GOAWAY_DELAY = 0.1
"""Between asking the peer to begin no more calls and naming the last one that is processed: a round trip."""

LINGER_TIMEOUT, MAX_LINGER_BYTES = 0.5, 8 << 20
"""For a peer that broke the protocol to read why its connection ends, and bytes that it may send in that time."""

DISCARD_TIMEOUT = 5.0
"""For a peer to stop sending on a stream that was answered with an error."""
