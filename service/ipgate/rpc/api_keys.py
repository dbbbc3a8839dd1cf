"""AdminService: the methods about API keys."""

from dataclasses import dataclass

from ipgate import cooperative
from ipgate.admin.api_keys import ApiKeys
from ipgate.clock import Clock
from ipgate.domain.errors import InvalidArgument
from ipgate.domain.names import (
    ALLOW_LISTS,
    API_KEYS,
    parse_child,
    parse_siblings,
    parse_workspace,
)
from ipgate.domain.writing import WriteOptions
from ipgate.rpc.call_info import CallInfo
from ipgate.rpc.convert import ACCESS_BACK, all_in_steps, changes_in, key_in, key_out
from ipgate.rpc.paging import (
    check_query,
    listing_name,
    page_size,
    page_token,
    parse_page_token,
)
from ipgate.rpc.writing import change_out
from ipgate.store.api_keys import ApiKeyStore
from ipgate.store.key_filter import KeyFilter, KeyState
from ipgate.v1 import admin_pb2 as admin
from ipgate.v1 import resources_pb2 as resources

_STATES: dict[int, KeyState] = {
    int(admin.ListApiKeysRequest.State.Value(f"STATE_{state.value}")): state for state in KeyState
}


@dataclass(frozen=True, slots=True)
class ApiKeyServicer:
    api_keys: ApiKeys
    store: ApiKeyStore
    clock: Clock

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
        wanted = self._filter(request)
        listing = listing_name("keys", workspace, request.query, request.access, request.state)
        page = await self.store.page(
            workspace,
            parse_page_token(listing, request.page_token),
            page_size(request.page_size),
            wanted,
        )
        return admin.ListApiKeysResponse(
            api_keys=await cooperative.run(all_in_steps(page.items, key_out)),
            next_page_token=page_token(listing, page.next_after),
            total_size=page.total if wanted is None else 0,
        )

    def _filter(self, request: admin.ListApiKeysRequest) -> KeyFilter | None:
        """Return which API keys are wanted, None for all.

        Raises: InvalidArgument.
        """
        if not (request.query or request.access or request.state):
            return None
        check_query(request.query)
        access, state = ACCESS_BACK.get(request.access), _STATES.get(request.state)
        for field, value, known in (
            ("access", request.access, access),
            ("state", request.state, state),
        ):
            if value and known is None:
                raise InvalidArgument.of(field, f"{value} is not known; use one of its names")
        return KeyFilter(query=request.query, access=access, state=state, now=self.clock.now())

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
