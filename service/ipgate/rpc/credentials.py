"""AdminService: the methods about the credentials of API keys."""

from dataclasses import dataclass

from ipgate.admin.credentials import Credentials
from ipgate.domain.errors import InvalidArgument
from ipgate.domain.names import API_KEYS, parse_child
from ipgate.domain.writing import WriteOptions
from ipgate.rpc.convert import duration_in, key_out
from ipgate.rpc.writing import change_out
from ipgate.v1 import admin_pb2 as admin

_Which = admin.RevokeApiKeyCredentialRequest


@dataclass(frozen=True, slots=True)
class CredentialServicer:
    credentials: Credentials

    async def RotateApiKeyCredential(
        self, request: admin.RotateApiKeyCredentialRequest, options: WriteOptions
    ) -> admin.RotateApiKeyCredentialResponse:
        workspace, key = parse_child("api_key", request.api_key, API_KEYS)
        overlap = duration_in("overlap", request)
        result, credential = await self.credentials.rotate(workspace, key, overlap, options)
        return admin.RotateApiKeyCredentialResponse(
            api_key=key_out(result.resource),
            credential=credential,
            **change_out(result, workspace),
        )

    async def RevokeApiKeyCredential(
        self, request: admin.RevokeApiKeyCredentialRequest, options: WriteOptions
    ) -> admin.RevokeApiKeyCredentialResponse:
        workspace, key = parse_child("api_key", request.api_key, API_KEYS)
        if request.credential not in (_Which.CREDENTIAL_CURRENT, _Which.CREDENTIAL_PREVIOUS):
            text = "is required; use CREDENTIAL_CURRENT or CREDENTIAL_PREVIOUS"
            raise InvalidArgument.of("credential", text)
        current = request.credential == _Which.CREDENTIAL_CURRENT
        result = await self.credentials.revoke(workspace, key, options, current=current)
        return admin.RevokeApiKeyCredentialResponse(
            api_key=key_out(result.resource), **change_out(result, workspace)
        )
