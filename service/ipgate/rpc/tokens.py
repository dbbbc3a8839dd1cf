"""AdminService: the methods about access tokens."""

from dataclasses import dataclass

from ipgate import cooperative
from ipgate.admin.tokens import Tokens, check_role
from ipgate.domain.names import parse_token, parse_workspace
from ipgate.domain.writing import WriteOptions
from ipgate.rpc.call_info import CallInfo
from ipgate.rpc.convert import all_in_steps, caller_out, role_in, token_in, token_out
from ipgate.rpc.paging import page_size, page_token, parse_page_token
from ipgate.rpc.writing import change_out
from ipgate.v1 import admin_pb2 as admin


@dataclass(frozen=True, slots=True)
class TokenServicer:
    tokens: Tokens

    async def CreateAccessToken(
        self, request: admin.CreateAccessTokenRequest, options: WriteOptions
    ) -> admin.CreateAccessTokenResponse:
        workspace = request.access_token.workspace
        result, secret = await self.tokens.create(
            token_in(
                request.access_token,
                check_role(role_in(request.access_token.role)),
                parse_workspace("access_token.workspace", workspace) if workspace else "",
                request.access_token_id,
            ),
            options,
        )
        return admin.CreateAccessTokenResponse(
            access_token=token_out(result.resource), token=secret, **change_out(result)
        )

    async def ListAccessTokens(
        self, request: admin.ListAccessTokensRequest, info: CallInfo
    ) -> admin.ListAccessTokensResponse:
        caller = info.caller
        workspace = parse_workspace("workspace", request.workspace) if request.workspace else ""
        listing = f"tokens:{workspace or caller.workspace}"
        page = await self.tokens.page(
            caller,
            workspace,
            parse_page_token(listing, request.page_token),
            page_size(request.page_size),
        )
        return admin.ListAccessTokensResponse(
            access_tokens=await cooperative.run(all_in_steps(page.items, token_out)),
            next_page_token=page_token(listing, page.next_after),
        )

    async def GetCaller(self, _request: admin.GetCallerRequest, info: CallInfo) -> admin.Caller:
        return caller_out(info.caller)

    async def RevokeAccessToken(
        self, request: admin.RevokeAccessTokenRequest, options: WriteOptions
    ) -> admin.RevokeAccessTokenResponse:
        result = await self.tokens.revoke(parse_token("name", request.name), options)
        return admin.RevokeAccessTokenResponse(
            access_token=token_out(result.resource), **change_out(result)
        )
