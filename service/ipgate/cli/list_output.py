"""What the commands show of allow lists and their changes."""

from typing import Any

import typer

from ipgate.cli.effects import counted, listed, print_change, print_effect, range_counts
from ipgate.cli.options import connection
from ipgate.cli.output import print_fields, print_json, resource_id, time, visible
from ipgate.cli.range_changes import print_ranges
from ipgate.v1 import admin_pb2 as admin


def show_list_change(
    context: typer.Context, answer: Any, what: str, *, dry_run: bool, json: bool
) -> None:
    """Print a created or updated list, and the effect of the change."""
    if json:
        print_json(answer)
        return
    if dry_run:
        print_change(answer, what, dry_run=True, json=False)
    else:
        show_list(answer.allow_list, json=False)
        if range_counts(answer.effect):
            print(range_counts(answer.effect))
        print_effect(answer.effect, dry_run=False)
    count = answer.allow_list.linked_api_key_count
    if count and range_counts(answer.effect):
        request = admin.ListLinkedApiKeysRequest(allow_list=answer.allow_list.name, page_size=10)
        page = connection(context).admin("ListLinkedApiKeys", request)
        names = listed([resource_id(key.name) for key in page.api_keys], count)
        print(visible(f"applies to {counted(count)}: {names}"))


def show_list(allow_list: Any, *, json: bool) -> None:
    """Print an allow list with its ranges."""
    if json:
        print_json(allow_list)
        return
    print_fields(
        (
            ("name", allow_list.name),
            ("display name", allow_list.display_name),
            ("description", allow_list.description),
            ("ranges", str(allow_list.range_count)),
            ("linked keys", str(allow_list.linked_api_key_count)),
            ("updated", time(allow_list, "update_time")),
            ("etag", allow_list.etag),
        )
    )
    print_ranges(allow_list.ranges)
