"""AdminService: the methods about API keys."""

from dataclasses import dataclass

from ipgate import cooperative
from ipgate.admin.api_keys import ApiKeys
from ipgate.domain.names import (
    ALLOW_LISTS,
    API_KEYS,
    parse_child,
    parse_siblings,
    parse_workspace,
)
from ipgate.domain.writing import WriteOptions
from ipgate.rpc.call_info import CallInfo
from ipgate.rpc.convert import all_in_steps, changes_in, key_in, key_out
from ipgate.rpc.paging import page_size, page_token, parse_page_token
from ipgate.rpc.writing import change_out
from ipgate.store.api_keys import ApiKeyStore
from ipgate.v1 import admin_pb2 as admin
from ipgate.v1 import resources_pb2 as resources


@dataclass(frozen=True, slots=True)
class ApiKeyServicer:
    api_keys: ApiKeys
    store: ApiKeyStore

    async def CreateApiKey(
        self, request: admin.CreateApiKeyRequest, options: WriteOptions
    ) -> admin.CreateApiKeyResponse:
        workspace = parse_workspace("parent", request.parent)
        result, credential = await self.api_keys.create(
            key_in(request.api_key, workspace, request.api_key_id),
            request.credential_sha256,
            options,
        )
        return admin.CreateApiKeyResponse(
            api_key=key_out(result.resource),
            credential=credential,
            **change_out(result, workspace),
        )

    async def GetApiKey(self, request: admin.GetApiKeyRequest, _info: CallInfo) -> resources.ApiKey:
        return key_out(await self.store.get(*parse_child("name", request.name, API_KEYS)))

    async def ListApiKeys(
        self, request: admin.ListApiKeysRequest, _info: CallInfo
    ) -> admin.ListApiKeysResponse:
        workspace = parse_workspace("parent", request.parent)
        listing = f"keys:{workspace}"
        page = await self.store.page(
            workspace, parse_page_token(listing, request.page_token), page_size(request.page_size)
        )
        return admin.ListApiKeysResponse(
            api_keys=await cooperative.run(all_in_steps(page.items, key_out)),
            next_page_token=page_token(listing, page.next_after),
        )

    async def UpdateApiKey(
        self, request: admin.UpdateApiKeyRequest, options: WriteOptions
    ) -> admin.UpdateApiKeyResponse:
        workspace, key = parse_child("api_key.name", request.api_key.name, API_KEYS)
        changes = changes_in("api_key", request.api_key, request.update_mask)
        result = await self.api_keys.update(workspace, key, changes, options)
        return admin.UpdateApiKeyResponse(
            api_key=key_out(result.resource), **change_out(result, workspace)
        )

    async def SetApiKeyAllowLists(
        self, request: admin.SetApiKeyAllowListsRequest, options: WriteOptions
    ) -> admin.SetApiKeyAllowListsResponse:
        workspace, key = parse_child("api_key", request.api_key, API_KEYS)
        lists = parse_siblings("allow_lists", request.allow_lists, ALLOW_LISTS, workspace)
        result = await self.api_keys.set_lists(workspace, key, lists, options)
        return admin.SetApiKeyAllowListsResponse(
            api_key=key_out(result.resource), **change_out(result, workspace)
        )

    async def DeleteApiKey(
        self, request: admin.DeleteApiKeyRequest, options: WriteOptions
    ) -> admin.DeleteApiKeyResponse:
        workspace, key = parse_child("name", request.name, API_KEYS)
        result = await self.store.delete(workspace, key, options)
        return admin.DeleteApiKeyResponse(
            api_key=key_out(result.resource), **change_out(result, workspace)
        )
