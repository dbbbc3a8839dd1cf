"""AdminService: the methods about allow lists, their ranges and links."""

from collections.abc import Iterable
from dataclasses import dataclass

from ipgate.admin.lists import Lists
from ipgate.domain.errors import InvalidArgument, Violation, shown
from ipgate.domain.names import ALLOW_LISTS, API_KEYS, parse_child, parse_workspace, workspace_name
from ipgate.domain.resources import AllowList, Caller
from ipgate.rpc.convert import changes_in, key_out, list_out
from ipgate.rpc.guard import Call
from ipgate.rpc.paging import page_size, page_token, parse_page_token
from ipgate.v1 import admin_pb2 as admin
from ipgate.v1 import resources_pb2 as resources


@dataclass(frozen=True, slots=True)
class ListServicer:
    lists: Lists

    async def CreateAllowList(
        self, request: admin.CreateAllowListRequest, _caller: Caller, _call: Call
    ) -> resources.AllowList:
        given = request.allow_list
        created = await self.lists.create(
            AllowList(
                workspace=parse_workspace("parent", request.parent),
                id=request.allow_list_id,
                display_name=given.display_name,
                description=given.description,
                ranges=tuple(given.ranges),
            ),
            allow_broad=request.allow_broad,
            validate_only=request.validate_only,
        )
        return list_out(created)

    async def GetAllowList(
        self, request: admin.GetAllowListRequest, _caller: Caller, _call: Call
    ) -> resources.AllowList:
        return list_out(await self.lists.get(*parse_child("name", request.name, ALLOW_LISTS)))

    async def ListAllowLists(
        self, request: admin.ListAllowListsRequest, _caller: Caller, _call: Call
    ) -> admin.ListAllowListsResponse:
        workspace = parse_workspace("parent", request.parent)
        listing = f"lists:{workspace}"
        page = await self.lists.page(
            workspace, parse_page_token(listing, request.page_token), page_size(request.page_size)
        )
        return admin.ListAllowListsResponse(
            allow_lists=map(list_out, page.items),
            next_page_token=page_token(listing, page.next_after),
        )

    async def UpdateAllowList(
        self, request: admin.UpdateAllowListRequest, _caller: Caller, _call: Call
    ) -> resources.AllowList:
        given = request.allow_list
        permitted = ("display_name", "description", "ranges")
        updated = await self.lists.update(
            *parse_child("allow_list.name", given.name, ALLOW_LISTS),
            changes_in("allow_list", given, request.update_mask, permitted),
            allow_broad=request.allow_broad,
            etag=given.etag,
            validate_only=request.validate_only,
        )
        return list_out(updated)

    async def DeleteAllowList(
        self, request: admin.DeleteAllowListRequest, _caller: Caller, _call: Call
    ) -> admin.DeleteAllowListResponse:
        revision = await self.lists.delete(
            *parse_child("name", request.name, ALLOW_LISTS),
            etag=request.etag,
            force=request.force,
            validate_only=request.validate_only,
        )
        return admin.DeleteAllowListResponse(revision=revision)

    async def AddRanges(
        self, request: admin.AddRangesRequest, _caller: Caller, _call: Call
    ) -> resources.AllowList:
        changed = await self.lists.add_ranges(
            *parse_child("allow_list", request.allow_list, ALLOW_LISTS),
            request.ranges,
            allow_broad=request.allow_broad,
            etag=request.etag,
            validate_only=request.validate_only,
        )
        return list_out(changed)

    async def RemoveRanges(
        self, request: admin.RemoveRangesRequest, _caller: Caller, _call: Call
    ) -> resources.AllowList:
        changed = await self.lists.remove_ranges(
            *parse_child("allow_list", request.allow_list, ALLOW_LISTS),
            request.ranges,
            etag=request.etag,
            validate_only=request.validate_only,
        )
        return list_out(changed)

    async def LinkApiKeys(
        self, request: admin.LinkApiKeysRequest, _caller: Caller, _call: Call
    ) -> admin.LinkApiKeysResponse:
        return admin.LinkApiKeysResponse(revision=await self._link(request, link=True))

    async def UnlinkApiKeys(
        self, request: admin.UnlinkApiKeysRequest, _caller: Caller, _call: Call
    ) -> admin.UnlinkApiKeysResponse:
        return admin.UnlinkApiKeysResponse(revision=await self._link(request, link=False))

    async def ListLinkedApiKeys(
        self, request: admin.ListLinkedApiKeysRequest, _caller: Caller, _call: Call
    ) -> admin.ListLinkedApiKeysResponse:
        workspace, allow_list = parse_child("allow_list", request.allow_list, ALLOW_LISTS)
        listing = f"linked:{workspace}/{allow_list}"
        page = await self.lists.linked(
            workspace,
            allow_list,
            parse_page_token(listing, request.page_token),
            page_size(request.page_size),
        )
        return admin.ListLinkedApiKeysResponse(
            api_keys=map(key_out, page.items), next_page_token=page_token(listing, page.next_after)
        )

    async def _link(
        self, request: admin.LinkApiKeysRequest | admin.UnlinkApiKeysRequest, *, link: bool
    ) -> str:
        workspace, allow_list = parse_child("allow_list", request.allow_list, ALLOW_LISTS)
        return await self.lists.link(
            workspace,
            allow_list,
            _keys_of(workspace, request.api_keys),
            link=link,
            validate_only=request.validate_only,
        )


def _keys_of(workspace: str, names: Iterable[str]) -> list[str]:
    """The ids of keys of that workspace. Raises InvalidArgument for all that are not."""
    ids: list[str] = []
    faults: list[Violation] = []
    for index, name in enumerate(names):
        field = f"api_keys[{index}]"
        try:
            found = parse_child(field, name, API_KEYS)
        except InvalidArgument as fault:
            faults += fault.violations
            continue
        if found.workspace != workspace:
            faults.append(Violation(field, f"{shown(name)} is not in {workspace_name(workspace)}"))
        ids.append(found.id)
    if faults:
        raise InvalidArgument(faults)
    return ids
