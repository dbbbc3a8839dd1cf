"""Pages of listings: sizes, and tokens that are good for one listing only."""

import hashlib
import json

from ipgate.domain.errors import InvalidArgument
from ipgate.domain.revision import seal, unseal
from ipgate.domain.text_validation import MAX_DISPLAY_NAME

DEFAULT_SIZE = 100
MAX_SIZE = 1000


def page_size(requested: int) -> int:
    """Return the size to use; too large a wish is cut down.

    Raises: InvalidArgument for a negative one.
    """
    if requested < 0:
        raise InvalidArgument.of("page_size", f"{requested} is negative; use 1 to {MAX_SIZE}")
    return min(requested or DEFAULT_SIZE, MAX_SIZE)


def listing_name(kind: str, *parts: object) -> str:
    """Return the name of a listing with everything that its page tokens depend on, without spaces."""
    text = json.dumps([kind, *map(str, parts)])
    return f"{kind}:{hashlib.sha256(text.encode()).hexdigest()}"


def check_query(query: str) -> None:
    """Check the length of a search text.

    Raises: InvalidArgument.
    """
    if len(query) > MAX_DISPLAY_NAME:
        text = f"has {len(query)} characters; use at most {MAX_DISPLAY_NAME}"
        raise InvalidArgument.of("query", text)


def page_token(listing: str, after: str) -> str:
    """Return the token to go on with a listing after an id, or another text without spaces; "" at its end."""
    return seal(f"p1 {listing} {after}") if after else ""


def parse_page_token(listing: str, token: str) -> str:
    """Return what to go on after, in most listings an id.

    Raises: InvalidArgument for a token of anything but this listing.
    """
    if not token:
        return ""
    match (unseal(token) or "").split(" "):
        case ["p1", made_for, after] if made_for == listing:
            return after
    raise InvalidArgument.of_page_token()
