"""Resource names and ids: `workspaces/{w}`, `workspaces/{w}/apiKeys/{k}` and so on."""

import re
from collections.abc import Sequence
from typing import NamedTuple

from ipgate.domain.errors import InvalidArgument, Violation, quoted

_ID = r"[a-z][a-z0-9-]{0,62}"
_ID_PATTERN = re.compile(_ID)
_WORKSPACE = re.compile(f"workspaces/({_ID})")
_CHILD = re.compile(f"workspaces/({_ID})/(apiKeys|allowLists)/({_ID})")
_TOKEN = re.compile(f"accessTokens/({_ID})")
MAX_NAME = 160
"""Characters that no name exceeds."""

MAX_SIBLINGS = 1000
"""Names of allow lists or API keys in one request."""

API_KEYS = "apiKeys"
ALLOW_LISTS = "allowLists"


class Child(NamedTuple):
    """The ids of an allow list or API key and of its workspace."""

    workspace: str
    id: str


def workspace_name(workspace: str) -> str:
    return f"workspaces/{workspace}"


def list_name(workspace: str, allow_list: str) -> str:
    return f"workspaces/{workspace}/allowLists/{allow_list}"


def key_name(workspace: str, api_key: str) -> str:
    return f"workspaces/{workspace}/apiKeys/{api_key}"


def token_name(token: str) -> str:
    return f"accessTokens/{token}"


def parse_workspace(field: str, name: str) -> str:
    """Return the workspace's id.

    Raises: InvalidArgument.
    """
    match = _match(_WORKSPACE, name)
    if not match:
        raise _malformed(field, name, "workspaces/{workspace}")
    return match[1]


def parse_child(field: str, name: str, collection: str) -> Child:
    """Return the ids in the name of an allow list or API key.

    Raises: InvalidArgument.
    """
    match = _match(_CHILD, name)
    if not match or match[2] != collection:
        raise _malformed(field, name, f"workspaces/{{workspace}}/{collection}/{{id}}")
    return Child(match[1], match[3])


def parse_sibling(field: str, name: str, collection: str, workspace: str) -> str:
    """Return the id in the name of an allow list or API key of a workspace.

    Raises: InvalidArgument if it is not one.
    """
    child = parse_child(field, name, collection)
    if child.workspace != workspace:
        right = f"{workspace_name(workspace)}/{collection}/{{id}}"
        text = f"{quoted(name)} is not in {workspace_name(workspace)}; use {right}"
        raise InvalidArgument.of(field, text)
    return child.id


def parse_siblings(field: str, names: Sequence[str], collection: str, workspace: str) -> list[str]:
    """Return the ids in the names of up to 1,000 allow lists or API keys of a workspace.

    Raises: InvalidArgument for all names that are not.
    """
    if len(names) > MAX_SIBLINGS:
        raise InvalidArgument.of(field, f"has {len(names)} names; send at most {MAX_SIBLINGS}")
    ids: list[str] = []
    violations: list[Violation] = []
    for index, name in enumerate(names):
        path = f"{field}[{index}]"
        try:
            ids.append(parse_sibling(path, name, collection, workspace))
        except InvalidArgument as error:
            violations += error.violations
    if violations:
        raise InvalidArgument(violations)
    return ids


def parse_token(field: str, name: str) -> str:
    """Return the access token's id.

    Raises: InvalidArgument.
    """
    match = _match(_TOKEN, name)
    if not match:
        raise _malformed(field, name, "accessTokens/{access_token}")
    return match[1]


def id_violations(field: str, value: str) -> list[Violation]:
    """Return what is wrong with an id."""
    if _ID_PATTERN.fullmatch(value[:MAX_NAME]):
        return []
    text = f"{quoted(value)} is not an id; use 1 to 63 of a-z, 0-9 and '-', beginning with a letter"
    return [Violation(field, text)]


def _match(pattern: re.Pattern[str], name: str) -> re.Match[str] | None:
    return pattern.fullmatch(name) if len(name) <= MAX_NAME else None


def _malformed(field: str, name: str, form: str) -> InvalidArgument:
    if not name:
        return InvalidArgument.of(field, f"is required, in the form {form}")
    return InvalidArgument.of(field, f"{quoted(name)} is not of the form {form}")
