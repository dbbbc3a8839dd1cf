"""The panel of an Allow list: its ranges, the API keys that are linked to it, and what is done with them."""

from ipgate_client import CallFailed
from starlette.responses import PlainTextResponse, Response

from ipgate.console import words
from ipgate.console.changes import Asks, Change, make
from ipgate.console.page import Page, errors_of
from ipgate.console.pages.lists import PAGE_SIZE, get_list, get_ranges, show_listing
from ipgate.console.ranges import format_ranges
from ipgate.console.undo import CannotUndo, check_keys, inverse_of, last_event
from ipgate.domain.names import key_name
from ipgate.v1 import admin_pb2 as admin

RANGES_SHOWN = 200


async def show(page: Page) -> Response:
    """Show the panel."""
    return await _show(page)


async def delete(page: Page) -> Response:
    """Delete an Allow list."""
    allow_list = await get_list(page)
    change = Change(
        method="DeleteAllowList",
        request=admin.DeleteAllowListRequest(name=allow_list.name, etag=page.field("etag")),
        question=f"Delete the IP Allow list {words.named(allow_list)}?",
        done=f"Deleted {words.named(allow_list)}.",
        then=page.url("lists"),
        asks=Asks.ALWAYS,
    )
    return await _make(page, change)


async def link(page: Page) -> Response:
    """Link API keys to an Allow list, or search for them."""
    if page.is_set("search"):
        return await _show(page)
    keys = _chosen(page)
    if not keys:
        return await _show(page, {"api_key": "Select an API key first."}, 400)
    allow_list = await get_list(page)
    names = words.listed([words.identifier(key) for key in keys], len(keys))
    change = Change(
        method="LinkApiKeys",
        request=admin.LinkApiKeysRequest(allow_list=allow_list.name, api_keys=keys),
        question=f"Link {'this API key' if len(keys) == 1 else f'{len(keys):,} API keys'} to {words.named(allow_list)}?",
        about=[
            f"Usable only from the addresses of this list then, and of other lists that they are linked to: {names}"
        ],
        asks=Asks.ALWAYS,
        done="Linked.",
        then=page.url("lists", page.path("list")),
    )
    return await _make(page, change)


async def unlink(page: Page) -> Response:
    """Unlink API keys from an Allow list."""
    allow_list = await get_list(page)
    keys = _chosen(page)
    if not keys:
        return await _show(page, {"unlink": "Select an API key first."}, 400)
    change = Change(
        method="UnlinkApiKeys",
        request=admin.UnlinkApiKeysRequest(allow_list=allow_list.name, api_keys=keys),
        question=f"Unlink {'this API key' if len(keys) == 1 else f'{len(keys):,} API keys'} from {words.named(allow_list)}?",
        done="Unlinked.",
        then=page.url("lists", page.path("list")),
    )
    return await _make(page, change)


async def undo(page: Page) -> Response:
    """Undo the last change of an Allow list, by the opposite change."""
    allow_list = await get_list(page)
    event = await last_event(page, allow_list.name)
    try:
        if event is None or event.revision != page.field("revision"):
            raise CannotUndo(
                "It was changed once more since you opened this page. See its last change below."
            )
        await check_keys(page, event)
        present = await get_ranges(page, allow_list) if event.ranges else []
        method, request = inverse_of(event, present, allow_list)
    except CannotUndo as error:
        return await _show(page, {"": str(error)}, 409)
    change = Change(
        method=method,
        request=request,
        question=f"Undo the last change of {words.named(allow_list)}, {words.summary(event)}?",
        about=words.links(event),
        done="Undone.",
        then=page.url("lists", page.path("list")),
        asks=Asks.ALWAYS,
    )
    return await _make(page, change)


async def download(page: Page) -> Response:
    """Return the ranges of an Allow list as a text file, with their notes."""
    ranges = await get_ranges(page, await get_list(page))
    name = page.path("list")
    return PlainTextResponse(
        format_ranges(ranges),
        headers={"Content-Disposition": f'attachment; filename="{name}.txt"'},
    )


def _chosen(page: Page) -> list[str]:
    """Return the API keys that were selected, and those whose ids were entered."""
    entered = page.field("ids").replace(",", " ").split()
    return page.fields("api_key") + [key_name(page.workspace, identifier) for identifier in entered]


async def _make(page: Page, change: Change) -> Response:
    try:
        return await make(page, change)
    except CallFailed as error:
        return await _show(page, errors_of(error, {"api_keys": "ids"}), 400)


async def _show(page: Page, problems: dict[str, str] | None = None, status: int = 200) -> Response:
    allow_list = await get_list(page)
    ranges = await page.call(
        "ListRanges",
        admin.ListRangesRequest(
            allow_list=allow_list.name,
            page_size=RANGES_SHOWN,
            page_token=page.query("ranges"),
            query=page.query("find"),
        ),
    )
    linked = await page.call(
        "ListLinkedApiKeys",
        admin.ListLinkedApiKeysRequest(
            allow_list=allow_list.name, page_size=PAGE_SIZE, page_token=page.query("linked")
        ),
    )
    choices, chosen = None, page.fields("api_key") if page.is_set("search") else []
    if page.query("link") or page.is_set("search") or (problems and "api_key" in problems):
        found = await page.call(
            "ListApiKeys",
            admin.ListApiKeysRequest(
                parent=page.parent, page_size=PAGE_SIZE, query=page.field("key")
            ),
        )
        choices = [
            key
            for key in found.api_keys
            if allow_list.name not in key.allow_lists and key.name not in chosen
        ]
    return await show_listing(
        page,
        panel="list",
        status=status,
        problems=problems or {},
        values={"ids": page.field("ids")},
        allow_list=allow_list,
        ranges=ranges.ranges,
        next_ranges=ranges.next_page_token,
        find=page.query("find"),
        linked=linked.api_keys,
        next_linked=linked.next_page_token,
        choices=choices,
        chosen=chosen,
        titles=await page.titles(chosen),
        key_query=page.field("key"),
        last=await last_event(page, allow_list.name),
    )
