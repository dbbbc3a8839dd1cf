"""AdminService: the methods about allow lists, their ranges and links."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

from ipgate import cooperative
from ipgate.admin.lists import Lists
from ipgate.admin.range_pages import RangePages
from ipgate.admin.ranges import ATTRIBUTES, Ranges
from ipgate.domain.errors import InvalidArgument, Violation, quoted
from ipgate.domain.names import (
    ALLOW_LISTS,
    API_KEYS,
    parse_child,
    parse_siblings,
    parse_workspace,
)
from ipgate.domain.writing import WriteOptions
from ipgate.rpc.call_info import CallInfo
from ipgate.rpc.convert import (
    address_in,
    all_in_steps,
    changes_in,
    key_out,
    list_in,
    list_out,
    range_out,
    ranges_in,
)
from ipgate.rpc.paging import (
    check_query,
    listing_name,
    page_size,
    page_token,
    parse_page_token,
)
from ipgate.rpc.writing import change_out
from ipgate.store.address_search import AddressSearch
from ipgate.store.lists import ListStore
from ipgate.v1 import admin_pb2 as admin
from ipgate.v1 import resources_pb2 as resources


@dataclass(frozen=True, slots=True)
class ListServicer:
    lists: Lists
    ranges: Ranges
    pages: RangePages
    search: AddressSearch
    store: ListStore

    async def CreateAllowList(
        self, request: admin.CreateAllowListRequest, options: WriteOptions
    ) -> admin.CreateAllowListResponse:
        workspace = parse_workspace("parent", request.parent)
        ranges = await cooperative.run(ranges_in("allow_list.ranges", request.allow_list.ranges))
        allow_list = list_in(request.allow_list, workspace, request.allow_list_id)
        result = await self.lists.create(replace(allow_list, ranges=ranges), options)
        return admin.CreateAllowListResponse(
            allow_list=list_out(result.resource), **change_out(result, workspace)
        )

    async def GetAllowList(
        self, request: admin.GetAllowListRequest, _info: CallInfo
    ) -> resources.AllowList:
        return list_out(await self.lists.get(*parse_child("name", request.name, ALLOW_LISTS)))

    async def ListAllowLists(
        self, request: admin.ListAllowListsRequest, _info: CallInfo
    ) -> admin.ListAllowListsResponse:
        workspace = parse_workspace("parent", request.parent)
        address = address_in("contains_address", request.contains_address)
        check_query(request.query)
        if address is not None and request.query:
            raise InvalidArgument.of("query", "cannot be used with contains_address; leave one out")
        listing = listing_name("lists", workspace, request.query, address)
        after = parse_page_token(listing, request.page_token)
        size = page_size(request.page_size)
        if address is None:
            page = await self.store.page(workspace, after, size, query=request.query)
        else:
            page = await self.search.page(workspace, address, after, size)
        return admin.ListAllowListsResponse(
            allow_lists=await cooperative.run(all_in_steps(page.items, list_out)),
            next_page_token=page_token(listing, page.next_after),
            total_size=page.total,
        )

    async def UpdateAllowList(
        self, request: admin.UpdateAllowListRequest, options: WriteOptions
    ) -> admin.UpdateAllowListResponse:
        workspace, allow_list = parse_child("allow_list.name", request.allow_list.name, ALLOW_LISTS)
        changes = changes_in("allow_list", request.allow_list, request.update_mask)
        if "ranges" in changes:
            steps = ranges_in("allow_list.ranges", request.allow_list.ranges)
            changes["ranges"] = await cooperative.run(steps)
        result = await self.lists.update(workspace, allow_list, changes, options)
        return admin.UpdateAllowListResponse(
            allow_list=list_out(result.resource), **change_out(result, workspace)
        )

    async def DeleteAllowList(
        self, request: admin.DeleteAllowListRequest, options: WriteOptions
    ) -> admin.DeleteAllowListResponse:
        workspace, allow_list = parse_child("name", request.name, ALLOW_LISTS)
        result = await self.store.delete(workspace, allow_list, options)
        return admin.DeleteAllowListResponse(
            allow_list=list_out(result.resource), **change_out(result, workspace)
        )

    async def AddRanges(
        self, request: admin.AddRangesRequest, options: WriteOptions
    ) -> admin.AddRangesResponse:
        workspace, allow_list = parse_child("allow_list", request.allow_list, ALLOW_LISTS)
        ranges = await cooperative.run(ranges_in("ranges", request.ranges))
        result = await self.ranges.add(workspace, allow_list, ranges, options)
        return admin.AddRangesResponse(
            allow_list=list_out(result.resource), **change_out(result, workspace)
        )

    async def UpdateRanges(
        self, request: admin.UpdateRangesRequest, options: WriteOptions
    ) -> admin.UpdateRangesResponse:
        workspace, allow_list = parse_child("allow_list", request.allow_list, ALLOW_LISTS)
        attributes = _attributes(request.update_mask.paths)
        ranges = await cooperative.run(ranges_in("ranges", request.ranges))
        result = await self.ranges.update(workspace, allow_list, ranges, attributes, options)
        return admin.UpdateRangesResponse(
            allow_list=list_out(result.resource), **change_out(result, workspace)
        )

    async def ReplaceRanges(
        self, requests: Sequence[admin.ReplaceRangesRequest], options: WriteOptions
    ) -> admin.ReplaceRangesResponse:
        name = requests[0].allow_list
        workspace, allow_list = parse_child("allow_list", name, ALLOW_LISTS)
        if any(request.allow_list not in ("", name) for request in requests):
            text = "is not that of the first message; leave it out of the others"
            raise InvalidArgument.of("allow_list", text)
        self.ranges.quotas.check_ranges(sum(len(request.ranges) for request in requests))
        messages = chain.from_iterable(request.ranges for request in requests)
        ranges = await cooperative.run(ranges_in("ranges", messages))
        result = await self.ranges.replace(workspace, allow_list, ranges, options)
        return admin.ReplaceRangesResponse(
            allow_list=list_out(result.resource), **change_out(result, workspace)
        )

    async def ListRanges(
        self, request: admin.ListRangesRequest, _info: CallInfo
    ) -> admin.ListRangesResponse:
        workspace, allow_list = parse_child("allow_list", request.allow_list, ALLOW_LISTS)
        check_query(request.query)
        listing = listing_name("ranges", workspace, allow_list, request.query)
        page = await self.pages.page(
            workspace,
            allow_list,
            parse_page_token(listing, request.page_token),
            page_size(request.page_size),
            query=request.query,
        )
        return admin.ListRangesResponse(
            ranges=map(range_out, page.ranges),
            etag=page.etag,
            next_page_token=page_token(listing, page.next_after),
        )

    async def RemoveRanges(
        self, request: admin.RemoveRangesRequest, options: WriteOptions
    ) -> admin.RemoveRangesResponse:
        workspace, allow_list = parse_child("allow_list", request.allow_list, ALLOW_LISTS)
        result = await self.ranges.remove(workspace, allow_list, request.ranges, options)
        return admin.RemoveRangesResponse(
            allow_list=list_out(result.resource), **change_out(result, workspace)
        )

    async def LinkApiKeys(
        self, request: admin.LinkApiKeysRequest, options: WriteOptions
    ) -> admin.LinkApiKeysResponse:
        return admin.LinkApiKeysResponse(**await self._link(request, options, link=True))

    async def UnlinkApiKeys(
        self, request: admin.UnlinkApiKeysRequest, options: WriteOptions
    ) -> admin.UnlinkApiKeysResponse:
        return admin.UnlinkApiKeysResponse(**await self._link(request, options, link=False))

    async def ListLinkedApiKeys(
        self, request: admin.ListLinkedApiKeysRequest, _info: CallInfo
    ) -> admin.ListLinkedApiKeysResponse:
        workspace, allow_list = parse_child("allow_list", request.allow_list, ALLOW_LISTS)
        listing = f"linked:{workspace}/{allow_list}"
        page = await self.store.linked(
            workspace,
            allow_list,
            parse_page_token(listing, request.page_token),
            page_size(request.page_size),
        )
        return admin.ListLinkedApiKeysResponse(
            api_keys=await cooperative.run(all_in_steps(page.items, key_out)),
            next_page_token=page_token(listing, page.next_after),
        )

    async def _link(
        self,
        request: admin.LinkApiKeysRequest | admin.UnlinkApiKeysRequest,
        options: WriteOptions,
        *,
        link: bool,
    ) -> dict[str, Any]:
        """Return the fields of the response."""
        workspace, allow_list = parse_child("allow_list", request.allow_list, ALLOW_LISTS)
        if not request.api_keys:
            raise InvalidArgument.of("api_keys", "is required; name at least one API key")
        keys = parse_siblings("api_keys", request.api_keys, API_KEYS, workspace)
        result = await self.lists.link(workspace, allow_list, keys, options, link=link)
        return {"allow_list": list_out(result.resource), **change_out(result, workspace)}


def _attributes(paths: Sequence[str]) -> Sequence[str]:
    """Return the attributes of ranges that a mask names.

    Raises: InvalidArgument.
    """
    known = f"use {', '.join(ATTRIBUTES)} or *"
    unknown = [path for path in paths[:100] if path not in (*ATTRIBUTES, "*")]
    if unknown:
        raise InvalidArgument(
            [
                Violation("update_mask", f"{quoted(path)} is no attribute; {known}")
                for path in unknown
            ]
        )
    if not paths:
        raise InvalidArgument.of("update_mask", f"is required; {known}")
    return ATTRIBUTES if "*" in paths else sorted(set(paths))
