"""What the commands show of API keys and their credentials."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from ipgate.cli.effects import print_change, print_effect
from ipgate.cli.output import print_fields, print_json, print_table, resource_id, time
from ipgate.v1 import resources_pb2 as resources


def print_keys(api_keys: Sequence[Any], *, json: bool) -> None:
    """Print a table of API keys."""
    if json:
        print_json(api_keys)
        return
    print_table(
        ("ID", "NAME", "ACCESS", "STATE", "EXPIRES", "LISTS"),
        (
            (
                resource_id(api_key.name),
                api_key.display_name,
                _access(api_key),
                "disabled" if api_key.disabled else "enabled",
                time(api_key, "expire_time", "never"),
                ", ".join(map(resource_id, api_key.allow_lists)),
            )
            for api_key in api_keys
        ),
    )


def show_key_change(answer: Any, what: str, *, dry_run: bool, json: bool) -> None:
    """Show the response to a change of an API key: the key, and what the change did."""
    if dry_run or json:
        print_change(answer, what, dry_run=dry_run, json=json)
        return
    show_key(answer.api_key, json=False)
    print_effect(answer.effect, dry_run=False)


def show_key(key: Any, *, json: bool) -> None:
    """Show an API key."""
    if json:
        print_json(key)
        return
    print_fields(
        (
            ("name", key.name),
            ("display name", key.display_name),
            ("access", _access(key)),
            ("state", "disabled" if key.disabled else "enabled"),
            ("expires", time(key, "expire_time", "never")),
            ("previous credential", _previous(key) or "none"),
            ("lists", ", ".join(map(resource_id, key.allow_lists))),
            ("mode", "report only" if key.report_only else "enforced"),
            ("updated", time(key, "update_time")),
            ("etag", key.etag),
        )
    )


def _previous(key: Any) -> str:
    """Return until when the previous credential works, "" if there is none."""
    field = "previous_credential_expire_time"
    if not key.HasField(field):
        return ""
    has_ended = getattr(key, field).ToDatetime(UTC) <= datetime.now(UTC)
    return f"{'ended' if has_ended else 'works until'} {time(key, field)}"


def _access(key: Any) -> str:
    access = resources.ApiKey.Access.Name(key.access).removeprefix("ACCESS_").lower()
    is_reported = key.report_only and key.access == resources.ApiKey.ACCESS_LISTS
    return f"{access} (report only)" if is_reported else access


def print_credential(credential: str) -> None:
    """Print a new credential."""
    print(f"\n{credential}\nThis is the credential. Keep it now: it is not shown again.")
