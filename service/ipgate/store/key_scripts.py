"""The scripts of API keys: how the changing ones are run, and what they show."""

from typing import Any

from ipgate.domain.names import key_name
from ipgate.domain.resources import Access, ApiKey
from ipgate.domain.shards import shard_of
from ipgate.domain.writing import MAINTENANCE, WriteOptions
from ipgate.store.broken import reading
from ipgate.store.schema import API_KEY, WORKSPACE
from ipgate.store.scripts import Outcome, Scripts


async def change_key(
    scripts: Scripts,
    script: str,
    workspace: str,
    key: str,
    options: WriteOptions = MAINTENANCE,
    **args: Any,
) -> Outcome:
    """Run a script that changes an API key, or a step of one.

    Raises: what the script rejects, and Unavailable.
    """
    return await scripts.change(
        script,
        shard_of(workspace),
        options,
        API_KEY,
        workspace=workspace,
        id=key,
        name=key_name(workspace, key),
        **args,
    )


def read_key(outcome: Outcome, workspace: str, view: Any) -> ApiKey:
    """Return the API key of a script's view of it.

    Raises: Unavailable for damage.
    """
    fields = view["fields"]
    lists = tuple(sorted(view["lists"]))
    with reading(key_name(workspace, view["id"])):
        return ApiKey(
            workspace=workspace,
            id=view["id"],
            lists=lists,
            access=_access(lists, WORKSPACE.decode(view["workspace"])),
            meta=outcome.meta(fields),
            **API_KEY.decode(fields),
        )


def _access(lists: tuple[str, ...], workspace: dict[str, Any]) -> Access:
    if lists:
        return Access.LISTS
    if workspace["default_enabled"]:
        return Access.DEFAULT
    return Access.CLOSED if workspace["require_allow_list"] else Access.UNRESTRICTED
