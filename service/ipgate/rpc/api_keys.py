"""AdminService: the methods about API keys."""

from dataclasses import dataclass

from ipgate.admin.api_keys import ApiKeys
from ipgate.domain.names import API_KEYS, parse_child, parse_workspace
from ipgate.domain.resources import ApiKey, Caller
from ipgate.rpc.convert import changes_in, key_out, time_in
from ipgate.rpc.guard import Call
from ipgate.rpc.paging import page_size, page_token, parse_page_token
from ipgate.v1 import admin_pb2 as admin
from ipgate.v1 import resources_pb2 as resources


@dataclass(frozen=True, slots=True)
class ApiKeyServicer:
    api_keys: ApiKeys

    async def CreateApiKey(
        self, request: admin.CreateApiKeyRequest, _caller: Caller, _call: Call
    ) -> admin.CreateApiKeyResponse:
        given = request.api_key
        key, credential = await self.api_keys.create(
            ApiKey(
                workspace=parse_workspace("parent", request.parent),
                id=request.api_key_id,
                display_name=given.display_name,
                disabled=given.disabled,
                expire_time=time_in("api_key", given, "expire_time"),
            ),
            credential_sha256=request.credential_sha256,
            validate_only=request.validate_only,
        )
        return admin.CreateApiKeyResponse(api_key=key_out(key), credential=credential)

    async def GetApiKey(
        self, request: admin.GetApiKeyRequest, _caller: Caller, _call: Call
    ) -> resources.ApiKey:
        return key_out(await self.api_keys.get(*parse_child("name", request.name, API_KEYS)))

    async def ListApiKeys(
        self, request: admin.ListApiKeysRequest, _caller: Caller, _call: Call
    ) -> admin.ListApiKeysResponse:
        workspace = parse_workspace("parent", request.parent)
        listing = f"keys:{workspace}"
        page = await self.api_keys.page(
            workspace, parse_page_token(listing, request.page_token), page_size(request.page_size)
        )
        return admin.ListApiKeysResponse(
            api_keys=map(key_out, page.items), next_page_token=page_token(listing, page.next_after)
        )

    async def UpdateApiKey(
        self, request: admin.UpdateApiKeyRequest, _caller: Caller, _call: Call
    ) -> resources.ApiKey:
        given = request.api_key
        permitted = ("display_name", "disabled", "expire_time")
        updated = await self.api_keys.update(
            *parse_child("api_key.name", given.name, API_KEYS),
            changes_in("api_key", given, request.update_mask, permitted),
            etag=given.etag,
            validate_only=request.validate_only,
        )
        return key_out(updated)

    async def DeleteApiKey(
        self, request: admin.DeleteApiKeyRequest, _caller: Caller, _call: Call
    ) -> admin.DeleteApiKeyResponse:
        revision = await self.api_keys.delete(
            *parse_child("name", request.name, API_KEYS),
            etag=request.etag,
            validate_only=request.validate_only,
        )
        return admin.DeleteApiKeyResponse(revision=revision)
