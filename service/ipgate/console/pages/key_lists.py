"""The panel of the Allow lists that an API key is linked to."""

from ipgate_client import CallFailed
from starlette.responses import Response

from ipgate.console import words
from ipgate.console.changes import Asks, Change, make
from ipgate.console.page import Page, errors_of
from ipgate.console.pages.keys import get_key, show_listing
from ipgate.v1 import admin_pb2 as admin

CHOICES = 50


async def edit(page: Page) -> Response:
    """Show the panel, and set the lists."""
    key = await get_key(page)
    problems: dict[str, str] = {}
    chosen = list(key.allow_lists)
    if page.request.method == "POST":
        chosen = page.fields("allow_list")
        if not page.is_set("edit"):
            change = Change(
                method="SetApiKeyAllowLists",
                request=admin.SetApiKeyAllowListsRequest(
                    api_key=key.name, allow_lists=chosen, etag=page.field("etag")
                ),
                question=f"Change the IP Allow lists of {words.named(key)}?",
                about=await _about(page, chosen),
                asks=Asks.ALWAYS if set(chosen) != set(key.allow_lists) else Asks.EFFECTS,
                entered={},
                done="Saved.",
                then=page.url("keys", page.path("key")),
            )
            try:
                return await make(page, change)
            except CallFailed as error:
                problems = errors_of(error, {"allow_lists": "allow_list"})
    request = admin.ListAllowListsRequest(
        parent=page.parent, page_size=CHOICES, query=page.field("list")
    )
    found = await page.call("ListAllowLists", request)
    return await show_listing(
        page,
        panel="key_lists",
        status=400 if problems else 200,
        key=key,
        problems=problems,
        chosen=chosen,
        etag=page.field("etag") or key.etag,
        titles=await page.titles(chosen),
        choices=[allow_list for allow_list in found.allow_lists if allow_list.name not in chosen],
        has_more=bool(found.next_page_token),
        list_query=page.field("list"),
    )


async def _about(page: Page, chosen: list[str]) -> list[str]:
    if not chosen:
        return []
    titles = await page.titles(chosen)
    names = [titles.get(name, words.identifier(name)) for name in chosen]
    return [f"It can be used only from the addresses of {words.listed(names, len(names))} then"]
