"""Where a request of an end client has its API key."""

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple
from urllib.parse import parse_qs

DEFAULT = "x-api-key"

_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9a-z-]+")
_BEARER = re.compile(r"(?i:bearer) +([!-~]+)")
_MAX_PARAMETERS = 100

Values = Callable[[str], Sequence[str]]
"""The values of a header of the request, by its name in lower case."""


class _Source(NamedTuple):
    """A header, or a parameter of the query."""

    name: str
    is_parameter: bool


class KeySources:
    """Reads the API key from where `text` says: names of headers, in the order in which they are tried.

    `authorization` stands for a Bearer token, and `?name` for a parameter of the query. Several are separated by
    commas. Raises ValueError, with the remedy.
    """

    def __init__(self, text: str) -> None:
        names = [part.strip() for part in text.split(",")]
        self._sources = [
            _Source(name.removeprefix("?"), is_parameter=name.startswith("?")) for name in names
        ]
        for name, source in zip(names, self._sources, strict=True):
            valid = source.name if source.is_parameter else _HEADER.fullmatch(source.name.lower())
            if not valid:
                raise ValueError(
                    f"{name!r} is not the name of a header; use one as in x-api-key, "
                    "authorization for a Bearer token, or ?api_key for a parameter of the query"
                )

    def find(self, values: Values, query: str) -> str:
        """Return the API key; "" if the first source that is there has none, or more than one.

        `query`: of the request's URL, without the question mark.
        """
        for name, is_parameter in self._sources:
            found = _parameters(query, name) if is_parameter else values(name.lower())
            if found:
                key = found[0] if len(found) == 1 else ""
                is_bearer = not is_parameter and name.lower() == "authorization"
                return _bearer(key) if is_bearer else key.strip()
        return ""

    def challenge(self) -> str:
        """Return what `WWW-Authenticate` asks for."""
        names = {source.name.lower() for source in self._sources}
        return "Bearer" if "authorization" in names else "ApiKey"


def _bearer(value: str) -> str:
    match = _BEARER.fullmatch(value.strip())
    return match[1] if match else ""


def _parameters(query: str, name: str) -> list[str]:
    try:
        return parse_qs(query, max_num_fields=_MAX_PARAMETERS).get(name, [])
    except ValueError:
        return []
