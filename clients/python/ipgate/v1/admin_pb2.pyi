from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import field_mask_pb2 as _field_mask_pb2
from google.protobuf import struct_pb2 as _struct_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from ipgate.v1 import authorize_pb2 as _authorize_pb2
from ipgate.v1 import resources_pb2 as _resources_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class CreateWorkspaceRequest(_message.Message):
    __slots__ = ("workspace_id", "workspace", "validate_only")
    WORKSPACE_ID_FIELD_NUMBER: _ClassVar[int]
    WORKSPACE_FIELD_NUMBER: _ClassVar[int]
    VALIDATE_ONLY_FIELD_NUMBER: _ClassVar[int]
    workspace_id: str
    workspace: _resources_pb2.Workspace
    validate_only: bool
    def __init__(self, workspace_id: _Optional[str] = ..., workspace: _Optional[_Union[_resources_pb2.Workspace, _Mapping]] = ..., validate_only: bool = ...) -> None: ...

class CreateWorkspaceResponse(_message.Message):
    __slots__ = ("workspace", "effect", "revision")
    WORKSPACE_FIELD_NUMBER: _ClassVar[int]
    EFFECT_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    workspace: _resources_pb2.Workspace
    effect: Effect
    revision: str
    def __init__(self, workspace: _Optional[_Union[_resources_pb2.Workspace, _Mapping]] = ..., effect: _Optional[_Union[Effect, _Mapping]] = ..., revision: _Optional[str] = ...) -> None: ...

class GetWorkspaceRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class ListWorkspacesRequest(_message.Message):
    __slots__ = ("page_size", "page_token")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListWorkspacesResponse(_message.Message):
    __slots__ = ("workspaces", "next_page_token")
    WORKSPACES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    workspaces: _containers.RepeatedCompositeFieldContainer[_resources_pb2.Workspace]
    next_page_token: str
    def __init__(self, workspaces: _Optional[_Iterable[_Union[_resources_pb2.Workspace, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class UpdateWorkspaceRequest(_message.Message):
    __slots__ = ("workspace", "update_mask", "validate_only", "allow_unrestricted")
    WORKSPACE_FIELD_NUMBER: _ClassVar[int]
    UPDATE_MASK_FIELD_NUMBER: _ClassVar[int]
    VALIDATE_ONLY_FIELD_NUMBER: _ClassVar[int]
    ALLOW_UNRESTRICTED_FIELD_NUMBER: _ClassVar[int]
    workspace: _resources_pb2.Workspace
    update_mask: _field_mask_pb2.FieldMask
    validate_only: bool
    allow_unrestricted: bool
    def __init__(self, workspace: _Optional[_Union[_resources_pb2.Workspace, _Mapping]] = ..., update_mask: _Optional[_Union[_field_mask_pb2.FieldMask, _Mapping]] = ..., validate_only: bool = ..., allow_unrestricted: bool = ...) -> None: ...

class UpdateWorkspaceResponse(_message.Message):
    __slots__ = ("workspace", "effect", "revision")
    WORKSPACE_FIELD_NUMBER: _ClassVar[int]
    EFFECT_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    workspace: _resources_pb2.Workspace
    effect: Effect
    revision: str
    def __init__(self, workspace: _Optional[_Union[_resources_pb2.Workspace, _Mapping]] = ..., effect: _Optional[_Union[Effect, _Mapping]] = ..., revision: _Optional[str] = ...) -> None: ...

class DeleteWorkspaceRequest(_message.Message):
    __slots__ = ("name", "etag", "validate_only")
    NAME_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    VALIDATE_ONLY_FIELD_NUMBER: _ClassVar[int]
    name: str
    etag: str
    validate_only: bool
    def __init__(self, name: _Optional[str] = ..., etag: _Optional[str] = ..., validate_only: bool = ...) -> None: ...

class DeleteWorkspaceResponse(_message.Message):
    __slots__ = ("workspace", "effect", "revision")
    WORKSPACE_FIELD_NUMBER: _ClassVar[int]
    EFFECT_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    workspace: _resources_pb2.Workspace
    effect: Effect
    revision: str
    def __init__(self, workspace: _Optional[_Union[_resources_pb2.Workspace, _Mapping]] = ..., effect: _Optional[_Union[Effect, _Mapping]] = ..., revision: _Optional[str] = ...) -> None: ...

class UpdateDefaultAllowListRequest(_message.Message):
    __slots__ = ("workspace", "default_allow_list", "etag", "validate_only", "allow_unrestricted")
    WORKSPACE_FIELD_NUMBER: _ClassVar[int]
    DEFAULT_ALLOW_LIST_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    VALIDATE_ONLY_FIELD_NUMBER: _ClassVar[int]
    ALLOW_UNRESTRICTED_FIELD_NUMBER: _ClassVar[int]
    workspace: str
    default_allow_list: _resources_pb2.DefaultAllowList
    etag: str
    validate_only: bool
    allow_unrestricted: bool
    def __init__(self, workspace: _Optional[str] = ..., default_allow_list: _Optional[_Union[_resources_pb2.DefaultAllowList, _Mapping]] = ..., etag: _Optional[str] = ..., validate_only: bool = ..., allow_unrestricted: bool = ...) -> None: ...

class UpdateDefaultAllowListResponse(_message.Message):
    __slots__ = ("workspace", "effect", "revision")
    WORKSPACE_FIELD_NUMBER: _ClassVar[int]
    EFFECT_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    workspace: _resources_pb2.Workspace
    effect: Effect
    revision: str
    def __init__(self, workspace: _Optional[_Union[_resources_pb2.Workspace, _Mapping]] = ..., effect: _Optional[_Union[Effect, _Mapping]] = ..., revision: _Optional[str] = ...) -> None: ...

class CreateAllowListRequest(_message.Message):
    __slots__ = ("parent", "allow_list_id", "allow_list", "allow_broad", "validate_only")
    PARENT_FIELD_NUMBER: _ClassVar[int]
    ALLOW_LIST_ID_FIELD_NUMBER: _ClassVar[int]
    ALLOW_LIST_FIELD_NUMBER: _ClassVar[int]
    ALLOW_BROAD_FIELD_NUMBER: _ClassVar[int]
    VALIDATE_ONLY_FIELD_NUMBER: _ClassVar[int]
    parent: str
    allow_list_id: str
    allow_list: _resources_pb2.AllowList
    allow_broad: bool
    validate_only: bool
    def __init__(self, parent: _Optional[str] = ..., allow_list_id: _Optional[str] = ..., allow_list: _Optional[_Union[_resources_pb2.AllowList, _Mapping]] = ..., allow_broad: bool = ..., validate_only: bool = ...) -> None: ...

class CreateAllowListResponse(_message.Message):
    __slots__ = ("allow_list", "effect", "revision")
    ALLOW_LIST_FIELD_NUMBER: _ClassVar[int]
    EFFECT_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    allow_list: _resources_pb2.AllowList
    effect: Effect
    revision: str
    def __init__(self, allow_list: _Optional[_Union[_resources_pb2.AllowList, _Mapping]] = ..., effect: _Optional[_Union[Effect, _Mapping]] = ..., revision: _Optional[str] = ...) -> None: ...

class GetAllowListRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class ListAllowListsRequest(_message.Message):
    __slots__ = ("parent", "page_size", "page_token", "contains_address", "query")
    PARENT_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    CONTAINS_ADDRESS_FIELD_NUMBER: _ClassVar[int]
    QUERY_FIELD_NUMBER: _ClassVar[int]
    parent: str
    page_size: int
    page_token: str
    contains_address: str
    query: str
    def __init__(self, parent: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., contains_address: _Optional[str] = ..., query: _Optional[str] = ...) -> None: ...

class ListAllowListsResponse(_message.Message):
    __slots__ = ("allow_lists", "next_page_token", "total_size")
    ALLOW_LISTS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    TOTAL_SIZE_FIELD_NUMBER: _ClassVar[int]
    allow_lists: _containers.RepeatedCompositeFieldContainer[_resources_pb2.AllowList]
    next_page_token: str
    total_size: int
    def __init__(self, allow_lists: _Optional[_Iterable[_Union[_resources_pb2.AllowList, _Mapping]]] = ..., next_page_token: _Optional[str] = ..., total_size: _Optional[int] = ...) -> None: ...

class UpdateAllowListRequest(_message.Message):
    __slots__ = ("allow_list", "update_mask", "allow_broad", "validate_only")
    ALLOW_LIST_FIELD_NUMBER: _ClassVar[int]
    UPDATE_MASK_FIELD_NUMBER: _ClassVar[int]
    ALLOW_BROAD_FIELD_NUMBER: _ClassVar[int]
    VALIDATE_ONLY_FIELD_NUMBER: _ClassVar[int]
    allow_list: _resources_pb2.AllowList
    update_mask: _field_mask_pb2.FieldMask
    allow_broad: bool
    validate_only: bool
    def __init__(self, allow_list: _Optional[_Union[_resources_pb2.AllowList, _Mapping]] = ..., update_mask: _Optional[_Union[_field_mask_pb2.FieldMask, _Mapping]] = ..., allow_broad: bool = ..., validate_only: bool = ...) -> None: ...

class UpdateAllowListResponse(_message.Message):
    __slots__ = ("allow_list", "effect", "revision")
    ALLOW_LIST_FIELD_NUMBER: _ClassVar[int]
    EFFECT_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    allow_list: _resources_pb2.AllowList
    effect: Effect
    revision: str
    def __init__(self, allow_list: _Optional[_Union[_resources_pb2.AllowList, _Mapping]] = ..., effect: _Optional[_Union[Effect, _Mapping]] = ..., revision: _Optional[str] = ...) -> None: ...

class DeleteAllowListRequest(_message.Message):
    __slots__ = ("name", "etag", "force", "validate_only", "allow_unrestricted")
    NAME_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    FORCE_FIELD_NUMBER: _ClassVar[int]
    VALIDATE_ONLY_FIELD_NUMBER: _ClassVar[int]
    ALLOW_UNRESTRICTED_FIELD_NUMBER: _ClassVar[int]
    name: str
    etag: str
    force: bool
    validate_only: bool
    allow_unrestricted: bool
    def __init__(self, name: _Optional[str] = ..., etag: _Optional[str] = ..., force: bool = ..., validate_only: bool = ..., allow_unrestricted: bool = ...) -> None: ...

class DeleteAllowListResponse(_message.Message):
    __slots__ = ("allow_list", "effect", "revision")
    ALLOW_LIST_FIELD_NUMBER: _ClassVar[int]
    EFFECT_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    allow_list: _resources_pb2.AllowList
    effect: Effect
    revision: str
    def __init__(self, allow_list: _Optional[_Union[_resources_pb2.AllowList, _Mapping]] = ..., effect: _Optional[_Union[Effect, _Mapping]] = ..., revision: _Optional[str] = ...) -> None: ...

class AddRangesRequest(_message.Message):
    __slots__ = ("allow_list", "ranges", "allow_broad", "etag", "validate_only")
    ALLOW_LIST_FIELD_NUMBER: _ClassVar[int]
    RANGES_FIELD_NUMBER: _ClassVar[int]
    ALLOW_BROAD_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    VALIDATE_ONLY_FIELD_NUMBER: _ClassVar[int]
    allow_list: str
    ranges: _containers.RepeatedCompositeFieldContainer[_resources_pb2.Range]
    allow_broad: bool
    etag: str
    validate_only: bool
    def __init__(self, allow_list: _Optional[str] = ..., ranges: _Optional[_Iterable[_Union[_resources_pb2.Range, _Mapping]]] = ..., allow_broad: bool = ..., etag: _Optional[str] = ..., validate_only: bool = ...) -> None: ...

class AddRangesResponse(_message.Message):
    __slots__ = ("allow_list", "effect", "revision")
    ALLOW_LIST_FIELD_NUMBER: _ClassVar[int]
    EFFECT_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    allow_list: _resources_pb2.AllowList
    effect: Effect
    revision: str
    def __init__(self, allow_list: _Optional[_Union[_resources_pb2.AllowList, _Mapping]] = ..., effect: _Optional[_Union[Effect, _Mapping]] = ..., revision: _Optional[str] = ...) -> None: ...

class UpdateRangesRequest(_message.Message):
    __slots__ = ("allow_list", "ranges", "update_mask", "etag", "validate_only")
    ALLOW_LIST_FIELD_NUMBER: _ClassVar[int]
    RANGES_FIELD_NUMBER: _ClassVar[int]
    UPDATE_MASK_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    VALIDATE_ONLY_FIELD_NUMBER: _ClassVar[int]
    allow_list: str
    ranges: _containers.RepeatedCompositeFieldContainer[_resources_pb2.Range]
    update_mask: _field_mask_pb2.FieldMask
    etag: str
    validate_only: bool
    def __init__(self, allow_list: _Optional[str] = ..., ranges: _Optional[_Iterable[_Union[_resources_pb2.Range, _Mapping]]] = ..., update_mask: _Optional[_Union[_field_mask_pb2.FieldMask, _Mapping]] = ..., etag: _Optional[str] = ..., validate_only: bool = ...) -> None: ...

class UpdateRangesResponse(_message.Message):
    __slots__ = ("allow_list", "effect", "revision")
    ALLOW_LIST_FIELD_NUMBER: _ClassVar[int]
    EFFECT_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    allow_list: _resources_pb2.AllowList
    effect: Effect
    revision: str
    def __init__(self, allow_list: _Optional[_Union[_resources_pb2.AllowList, _Mapping]] = ..., effect: _Optional[_Union[Effect, _Mapping]] = ..., revision: _Optional[str] = ...) -> None: ...

class ReplaceRangesRequest(_message.Message):
    __slots__ = ("allow_list", "ranges", "allow_broad", "etag", "validate_only")
    ALLOW_LIST_FIELD_NUMBER: _ClassVar[int]
    RANGES_FIELD_NUMBER: _ClassVar[int]
    ALLOW_BROAD_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    VALIDATE_ONLY_FIELD_NUMBER: _ClassVar[int]
    allow_list: str
    ranges: _containers.RepeatedCompositeFieldContainer[_resources_pb2.Range]
    allow_broad: bool
    etag: str
    validate_only: bool
    def __init__(self, allow_list: _Optional[str] = ..., ranges: _Optional[_Iterable[_Union[_resources_pb2.Range, _Mapping]]] = ..., allow_broad: bool = ..., etag: _Optional[str] = ..., validate_only: bool = ...) -> None: ...

class ReplaceRangesResponse(_message.Message):
    __slots__ = ("allow_list", "effect", "revision")
    ALLOW_LIST_FIELD_NUMBER: _ClassVar[int]
    EFFECT_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    allow_list: _resources_pb2.AllowList
    effect: Effect
    revision: str
    def __init__(self, allow_list: _Optional[_Union[_resources_pb2.AllowList, _Mapping]] = ..., effect: _Optional[_Union[Effect, _Mapping]] = ..., revision: _Optional[str] = ...) -> None: ...

class ListRangesRequest(_message.Message):
    __slots__ = ("allow_list", "page_size", "page_token", "query")
    ALLOW_LIST_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    QUERY_FIELD_NUMBER: _ClassVar[int]
    allow_list: str
    page_size: int
    page_token: str
    query: str
    def __init__(self, allow_list: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., query: _Optional[str] = ...) -> None: ...

class ListRangesResponse(_message.Message):
    __slots__ = ("ranges", "next_page_token", "etag")
    RANGES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    ranges: _containers.RepeatedCompositeFieldContainer[_resources_pb2.Range]
    next_page_token: str
    etag: str
    def __init__(self, ranges: _Optional[_Iterable[_Union[_resources_pb2.Range, _Mapping]]] = ..., next_page_token: _Optional[str] = ..., etag: _Optional[str] = ...) -> None: ...

class RemoveRangesRequest(_message.Message):
    __slots__ = ("allow_list", "ranges", "etag", "validate_only")
    ALLOW_LIST_FIELD_NUMBER: _ClassVar[int]
    RANGES_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    VALIDATE_ONLY_FIELD_NUMBER: _ClassVar[int]
    allow_list: str
    ranges: _containers.RepeatedScalarFieldContainer[str]
    etag: str
    validate_only: bool
    def __init__(self, allow_list: _Optional[str] = ..., ranges: _Optional[_Iterable[str]] = ..., etag: _Optional[str] = ..., validate_only: bool = ...) -> None: ...

class RemoveRangesResponse(_message.Message):
    __slots__ = ("allow_list", "effect", "revision")
    ALLOW_LIST_FIELD_NUMBER: _ClassVar[int]
    EFFECT_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    allow_list: _resources_pb2.AllowList
    effect: Effect
    revision: str
    def __init__(self, allow_list: _Optional[_Union[_resources_pb2.AllowList, _Mapping]] = ..., effect: _Optional[_Union[Effect, _Mapping]] = ..., revision: _Optional[str] = ...) -> None: ...

class LinkApiKeysRequest(_message.Message):
    __slots__ = ("allow_list", "api_keys", "validate_only", "etag", "allow_unrestricted")
    ALLOW_LIST_FIELD_NUMBER: _ClassVar[int]
    API_KEYS_FIELD_NUMBER: _ClassVar[int]
    VALIDATE_ONLY_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    ALLOW_UNRESTRICTED_FIELD_NUMBER: _ClassVar[int]
    allow_list: str
    api_keys: _containers.RepeatedScalarFieldContainer[str]
    validate_only: bool
    etag: str
    allow_unrestricted: bool
    def __init__(self, allow_list: _Optional[str] = ..., api_keys: _Optional[_Iterable[str]] = ..., validate_only: bool = ..., etag: _Optional[str] = ..., allow_unrestricted: bool = ...) -> None: ...

class LinkApiKeysResponse(_message.Message):
    __slots__ = ("allow_list", "effect", "revision")
    ALLOW_LIST_FIELD_NUMBER: _ClassVar[int]
    EFFECT_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    allow_list: _resources_pb2.AllowList
    effect: Effect
    revision: str
    def __init__(self, allow_list: _Optional[_Union[_resources_pb2.AllowList, _Mapping]] = ..., effect: _Optional[_Union[Effect, _Mapping]] = ..., revision: _Optional[str] = ...) -> None: ...

class UnlinkApiKeysRequest(_message.Message):
    __slots__ = ("allow_list", "api_keys", "validate_only", "allow_unrestricted", "etag")
    ALLOW_LIST_FIELD_NUMBER: _ClassVar[int]
    API_KEYS_FIELD_NUMBER: _ClassVar[int]
    VALIDATE_ONLY_FIELD_NUMBER: _ClassVar[int]
    ALLOW_UNRESTRICTED_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    allow_list: str
    api_keys: _containers.RepeatedScalarFieldContainer[str]
    validate_only: bool
    allow_unrestricted: bool
    etag: str
    def __init__(self, allow_list: _Optional[str] = ..., api_keys: _Optional[_Iterable[str]] = ..., validate_only: bool = ..., allow_unrestricted: bool = ..., etag: _Optional[str] = ...) -> None: ...

class UnlinkApiKeysResponse(_message.Message):
    __slots__ = ("allow_list", "effect", "revision")
    ALLOW_LIST_FIELD_NUMBER: _ClassVar[int]
    EFFECT_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    allow_list: _resources_pb2.AllowList
    effect: Effect
    revision: str
    def __init__(self, allow_list: _Optional[_Union[_resources_pb2.AllowList, _Mapping]] = ..., effect: _Optional[_Union[Effect, _Mapping]] = ..., revision: _Optional[str] = ...) -> None: ...

class ListLinkedApiKeysRequest(_message.Message):
    __slots__ = ("allow_list", "page_size", "page_token")
    ALLOW_LIST_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    allow_list: str
    page_size: int
    page_token: str
    def __init__(self, allow_list: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListLinkedApiKeysResponse(_message.Message):
    __slots__ = ("api_keys", "next_page_token")
    API_KEYS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    api_keys: _containers.RepeatedCompositeFieldContainer[_resources_pb2.ApiKey]
    next_page_token: str
    def __init__(self, api_keys: _Optional[_Iterable[_Union[_resources_pb2.ApiKey, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class CreateApiKeyRequest(_message.Message):
    __slots__ = ("parent", "api_key_id", "api_key", "credential_sha256", "validate_only")
    PARENT_FIELD_NUMBER: _ClassVar[int]
    API_KEY_ID_FIELD_NUMBER: _ClassVar[int]
    API_KEY_FIELD_NUMBER: _ClassVar[int]
    CREDENTIAL_SHA256_FIELD_NUMBER: _ClassVar[int]
    VALIDATE_ONLY_FIELD_NUMBER: _ClassVar[int]
    parent: str
    api_key_id: str
    api_key: _resources_pb2.ApiKey
    credential_sha256: str
    validate_only: bool
    def __init__(self, parent: _Optional[str] = ..., api_key_id: _Optional[str] = ..., api_key: _Optional[_Union[_resources_pb2.ApiKey, _Mapping]] = ..., credential_sha256: _Optional[str] = ..., validate_only: bool = ...) -> None: ...

class CreateApiKeyResponse(_message.Message):
    __slots__ = ("api_key", "effect", "revision", "credential")
    API_KEY_FIELD_NUMBER: _ClassVar[int]
    EFFECT_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    CREDENTIAL_FIELD_NUMBER: _ClassVar[int]
    api_key: _resources_pb2.ApiKey
    effect: Effect
    revision: str
    credential: str
    def __init__(self, api_key: _Optional[_Union[_resources_pb2.ApiKey, _Mapping]] = ..., effect: _Optional[_Union[Effect, _Mapping]] = ..., revision: _Optional[str] = ..., credential: _Optional[str] = ...) -> None: ...

class RotateApiKeyCredentialRequest(_message.Message):
    __slots__ = ("api_key", "overlap", "etag", "validate_only")
    API_KEY_FIELD_NUMBER: _ClassVar[int]
    OVERLAP_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    VALIDATE_ONLY_FIELD_NUMBER: _ClassVar[int]
    api_key: str
    overlap: _duration_pb2.Duration
    etag: str
    validate_only: bool
    def __init__(self, api_key: _Optional[str] = ..., overlap: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., etag: _Optional[str] = ..., validate_only: bool = ...) -> None: ...

class RotateApiKeyCredentialResponse(_message.Message):
    __slots__ = ("api_key", "effect", "revision", "credential")
    API_KEY_FIELD_NUMBER: _ClassVar[int]
    EFFECT_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    CREDENTIAL_FIELD_NUMBER: _ClassVar[int]
    api_key: _resources_pb2.ApiKey
    effect: Effect
    revision: str
    credential: str
    def __init__(self, api_key: _Optional[_Union[_resources_pb2.ApiKey, _Mapping]] = ..., effect: _Optional[_Union[Effect, _Mapping]] = ..., revision: _Optional[str] = ..., credential: _Optional[str] = ...) -> None: ...

class RevokeApiKeyCredentialRequest(_message.Message):
    __slots__ = ("api_key", "credential", "etag", "validate_only")
    class Credential(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        CREDENTIAL_UNSPECIFIED: _ClassVar[RevokeApiKeyCredentialRequest.Credential]
        CREDENTIAL_CURRENT: _ClassVar[RevokeApiKeyCredentialRequest.Credential]
        CREDENTIAL_PREVIOUS: _ClassVar[RevokeApiKeyCredentialRequest.Credential]
    CREDENTIAL_UNSPECIFIED: RevokeApiKeyCredentialRequest.Credential
    CREDENTIAL_CURRENT: RevokeApiKeyCredentialRequest.Credential
    CREDENTIAL_PREVIOUS: RevokeApiKeyCredentialRequest.Credential
    API_KEY_FIELD_NUMBER: _ClassVar[int]
    CREDENTIAL_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    VALIDATE_ONLY_FIELD_NUMBER: _ClassVar[int]
    api_key: str
    credential: RevokeApiKeyCredentialRequest.Credential
    etag: str
    validate_only: bool
    def __init__(self, api_key: _Optional[str] = ..., credential: _Optional[_Union[RevokeApiKeyCredentialRequest.Credential, str]] = ..., etag: _Optional[str] = ..., validate_only: bool = ...) -> None: ...

class RevokeApiKeyCredentialResponse(_message.Message):
    __slots__ = ("api_key", "effect", "revision")
    API_KEY_FIELD_NUMBER: _ClassVar[int]
    EFFECT_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    api_key: _resources_pb2.ApiKey
    effect: Effect
    revision: str
    def __init__(self, api_key: _Optional[_Union[_resources_pb2.ApiKey, _Mapping]] = ..., effect: _Optional[_Union[Effect, _Mapping]] = ..., revision: _Optional[str] = ...) -> None: ...

class GetApiKeyRequest(_message.Message):
    __slots__ = ("name",)
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class ListApiKeysRequest(_message.Message):
    __slots__ = ("parent", "page_size", "page_token", "query", "access", "state")
    class State(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        STATE_UNSPECIFIED: _ClassVar[ListApiKeysRequest.State]
        STATE_ENABLED: _ClassVar[ListApiKeysRequest.State]
        STATE_DISABLED: _ClassVar[ListApiKeysRequest.State]
        STATE_EXPIRED: _ClassVar[ListApiKeysRequest.State]
    STATE_UNSPECIFIED: ListApiKeysRequest.State
    STATE_ENABLED: ListApiKeysRequest.State
    STATE_DISABLED: ListApiKeysRequest.State
    STATE_EXPIRED: ListApiKeysRequest.State
    PARENT_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    QUERY_FIELD_NUMBER: _ClassVar[int]
    ACCESS_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    parent: str
    page_size: int
    page_token: str
    query: str
    access: _resources_pb2.ApiKey.Access
    state: ListApiKeysRequest.State
    def __init__(self, parent: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., query: _Optional[str] = ..., access: _Optional[_Union[_resources_pb2.ApiKey.Access, str]] = ..., state: _Optional[_Union[ListApiKeysRequest.State, str]] = ...) -> None: ...

class ListApiKeysResponse(_message.Message):
    __slots__ = ("api_keys", "next_page_token", "total_size")
    API_KEYS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    TOTAL_SIZE_FIELD_NUMBER: _ClassVar[int]
    api_keys: _containers.RepeatedCompositeFieldContainer[_resources_pb2.ApiKey]
    next_page_token: str
    total_size: int
    def __init__(self, api_keys: _Optional[_Iterable[_Union[_resources_pb2.ApiKey, _Mapping]]] = ..., next_page_token: _Optional[str] = ..., total_size: _Optional[int] = ...) -> None: ...

class UpdateApiKeyRequest(_message.Message):
    __slots__ = ("api_key", "update_mask", "validate_only", "allow_unrestricted")
    API_KEY_FIELD_NUMBER: _ClassVar[int]
    UPDATE_MASK_FIELD_NUMBER: _ClassVar[int]
    VALIDATE_ONLY_FIELD_NUMBER: _ClassVar[int]
    ALLOW_UNRESTRICTED_FIELD_NUMBER: _ClassVar[int]
    api_key: _resources_pb2.ApiKey
    update_mask: _field_mask_pb2.FieldMask
    validate_only: bool
    allow_unrestricted: bool
    def __init__(self, api_key: _Optional[_Union[_resources_pb2.ApiKey, _Mapping]] = ..., update_mask: _Optional[_Union[_field_mask_pb2.FieldMask, _Mapping]] = ..., validate_only: bool = ..., allow_unrestricted: bool = ...) -> None: ...

class UpdateApiKeyResponse(_message.Message):
    __slots__ = ("api_key", "effect", "revision")
    API_KEY_FIELD_NUMBER: _ClassVar[int]
    EFFECT_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    api_key: _resources_pb2.ApiKey
    effect: Effect
    revision: str
    def __init__(self, api_key: _Optional[_Union[_resources_pb2.ApiKey, _Mapping]] = ..., effect: _Optional[_Union[Effect, _Mapping]] = ..., revision: _Optional[str] = ...) -> None: ...

class SetApiKeyAllowListsRequest(_message.Message):
    __slots__ = ("api_key", "allow_lists", "etag", "validate_only", "allow_unrestricted")
    API_KEY_FIELD_NUMBER: _ClassVar[int]
    ALLOW_LISTS_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    VALIDATE_ONLY_FIELD_NUMBER: _ClassVar[int]
    ALLOW_UNRESTRICTED_FIELD_NUMBER: _ClassVar[int]
    api_key: str
    allow_lists: _containers.RepeatedScalarFieldContainer[str]
    etag: str
    validate_only: bool
    allow_unrestricted: bool
    def __init__(self, api_key: _Optional[str] = ..., allow_lists: _Optional[_Iterable[str]] = ..., etag: _Optional[str] = ..., validate_only: bool = ..., allow_unrestricted: bool = ...) -> None: ...

class SetApiKeyAllowListsResponse(_message.Message):
    __slots__ = ("api_key", "effect", "revision")
    API_KEY_FIELD_NUMBER: _ClassVar[int]
    EFFECT_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    api_key: _resources_pb2.ApiKey
    effect: Effect
    revision: str
    def __init__(self, api_key: _Optional[_Union[_resources_pb2.ApiKey, _Mapping]] = ..., effect: _Optional[_Union[Effect, _Mapping]] = ..., revision: _Optional[str] = ...) -> None: ...

class DeleteApiKeyRequest(_message.Message):
    __slots__ = ("name", "etag", "validate_only")
    NAME_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    VALIDATE_ONLY_FIELD_NUMBER: _ClassVar[int]
    name: str
    etag: str
    validate_only: bool
    def __init__(self, name: _Optional[str] = ..., etag: _Optional[str] = ..., validate_only: bool = ...) -> None: ...

class DeleteApiKeyResponse(_message.Message):
    __slots__ = ("api_key", "effect", "revision")
    API_KEY_FIELD_NUMBER: _ClassVar[int]
    EFFECT_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    api_key: _resources_pb2.ApiKey
    effect: Effect
    revision: str
    def __init__(self, api_key: _Optional[_Union[_resources_pb2.ApiKey, _Mapping]] = ..., effect: _Optional[_Union[Effect, _Mapping]] = ..., revision: _Optional[str] = ...) -> None: ...

class CreateAccessTokenRequest(_message.Message):
    __slots__ = ("access_token_id", "access_token", "validate_only")
    ACCESS_TOKEN_ID_FIELD_NUMBER: _ClassVar[int]
    ACCESS_TOKEN_FIELD_NUMBER: _ClassVar[int]
    VALIDATE_ONLY_FIELD_NUMBER: _ClassVar[int]
    access_token_id: str
    access_token: _resources_pb2.AccessToken
    validate_only: bool
    def __init__(self, access_token_id: _Optional[str] = ..., access_token: _Optional[_Union[_resources_pb2.AccessToken, _Mapping]] = ..., validate_only: bool = ...) -> None: ...

class CreateAccessTokenResponse(_message.Message):
    __slots__ = ("access_token", "effect", "revision", "token")
    ACCESS_TOKEN_FIELD_NUMBER: _ClassVar[int]
    EFFECT_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    access_token: _resources_pb2.AccessToken
    effect: Effect
    revision: str
    token: str
    def __init__(self, access_token: _Optional[_Union[_resources_pb2.AccessToken, _Mapping]] = ..., effect: _Optional[_Union[Effect, _Mapping]] = ..., revision: _Optional[str] = ..., token: _Optional[str] = ...) -> None: ...

class ListAccessTokensRequest(_message.Message):
    __slots__ = ("workspace", "page_size", "page_token")
    WORKSPACE_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    workspace: str
    page_size: int
    page_token: str
    def __init__(self, workspace: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListAccessTokensResponse(_message.Message):
    __slots__ = ("access_tokens", "next_page_token")
    ACCESS_TOKENS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    access_tokens: _containers.RepeatedCompositeFieldContainer[_resources_pb2.AccessToken]
    next_page_token: str
    def __init__(self, access_tokens: _Optional[_Iterable[_Union[_resources_pb2.AccessToken, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class RevokeAccessTokenRequest(_message.Message):
    __slots__ = ("name", "validate_only")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VALIDATE_ONLY_FIELD_NUMBER: _ClassVar[int]
    name: str
    validate_only: bool
    def __init__(self, name: _Optional[str] = ..., validate_only: bool = ...) -> None: ...

class RevokeAccessTokenResponse(_message.Message):
    __slots__ = ("access_token", "effect", "revision")
    ACCESS_TOKEN_FIELD_NUMBER: _ClassVar[int]
    EFFECT_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    access_token: _resources_pb2.AccessToken
    effect: Effect
    revision: str
    def __init__(self, access_token: _Optional[_Union[_resources_pb2.AccessToken, _Mapping]] = ..., effect: _Optional[_Union[Effect, _Mapping]] = ..., revision: _Optional[str] = ...) -> None: ...

class WaitForRevisionRequest(_message.Message):
    __slots__ = ("revision",)
    REVISION_FIELD_NUMBER: _ClassVar[int]
    revision: str
    def __init__(self, revision: _Optional[str] = ...) -> None: ...

class WaitForRevisionResponse(_message.Message):
    __slots__ = ("worker_count",)
    WORKER_COUNT_FIELD_NUMBER: _ClassVar[int]
    worker_count: int
    def __init__(self, worker_count: _Optional[int] = ...) -> None: ...

class Effect(_message.Message):
    __slots__ = ("ranges_added", "ranges_removed", "unlinked_api_keys", "unrestricted_api_keys", "closed_api_keys", "unlinked_access", "ranges_changed", "ranges_loosened", "attributes")
    RANGES_ADDED_FIELD_NUMBER: _ClassVar[int]
    RANGES_REMOVED_FIELD_NUMBER: _ClassVar[int]
    UNLINKED_API_KEYS_FIELD_NUMBER: _ClassVar[int]
    UNRESTRICTED_API_KEYS_FIELD_NUMBER: _ClassVar[int]
    CLOSED_API_KEYS_FIELD_NUMBER: _ClassVar[int]
    UNLINKED_ACCESS_FIELD_NUMBER: _ClassVar[int]
    RANGES_CHANGED_FIELD_NUMBER: _ClassVar[int]
    RANGES_LOOSENED_FIELD_NUMBER: _ClassVar[int]
    ATTRIBUTES_FIELD_NUMBER: _ClassVar[int]
    ranges_added: AffectedRanges
    ranges_removed: AffectedRanges
    unlinked_api_keys: AffectedApiKeys
    unrestricted_api_keys: AffectedApiKeys
    closed_api_keys: AffectedApiKeys
    unlinked_access: _resources_pb2.ApiKey.Access
    ranges_changed: AffectedRanges
    ranges_loosened: AffectedRanges
    attributes: _containers.RepeatedCompositeFieldContainer[AttributeChange]
    def __init__(self, ranges_added: _Optional[_Union[AffectedRanges, _Mapping]] = ..., ranges_removed: _Optional[_Union[AffectedRanges, _Mapping]] = ..., unlinked_api_keys: _Optional[_Union[AffectedApiKeys, _Mapping]] = ..., unrestricted_api_keys: _Optional[_Union[AffectedApiKeys, _Mapping]] = ..., closed_api_keys: _Optional[_Union[AffectedApiKeys, _Mapping]] = ..., unlinked_access: _Optional[_Union[_resources_pb2.ApiKey.Access, str]] = ..., ranges_changed: _Optional[_Union[AffectedRanges, _Mapping]] = ..., ranges_loosened: _Optional[_Union[AffectedRanges, _Mapping]] = ..., attributes: _Optional[_Iterable[_Union[AttributeChange, _Mapping]]] = ...) -> None: ...

class AffectedRanges(_message.Message):
    __slots__ = ("count", "ranges")
    COUNT_FIELD_NUMBER: _ClassVar[int]
    RANGES_FIELD_NUMBER: _ClassVar[int]
    count: int
    ranges: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, count: _Optional[int] = ..., ranges: _Optional[_Iterable[str]] = ...) -> None: ...

class AffectedApiKeys(_message.Message):
    __slots__ = ("count", "api_keys")
    COUNT_FIELD_NUMBER: _ClassVar[int]
    API_KEYS_FIELD_NUMBER: _ClassVar[int]
    count: int
    api_keys: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, count: _Optional[int] = ..., api_keys: _Optional[_Iterable[str]] = ...) -> None: ...

class GetRevisionStatusRequest(_message.Message):
    __slots__ = ("revision",)
    REVISION_FIELD_NUMBER: _ClassVar[int]
    revision: str
    def __init__(self, revision: _Optional[str] = ...) -> None: ...

class RevisionStatus(_message.Message):
    __slots__ = ("applied_worker_count", "worker_count", "workers_behind")
    APPLIED_WORKER_COUNT_FIELD_NUMBER: _ClassVar[int]
    WORKER_COUNT_FIELD_NUMBER: _ClassVar[int]
    WORKERS_BEHIND_FIELD_NUMBER: _ClassVar[int]
    applied_worker_count: int
    worker_count: int
    workers_behind: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, applied_worker_count: _Optional[int] = ..., worker_count: _Optional[int] = ..., workers_behind: _Optional[_Iterable[str]] = ...) -> None: ...

class GetCallerRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Caller(_message.Message):
    __slots__ = ("access_token", "role", "workspace", "expire_time")
    ACCESS_TOKEN_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    WORKSPACE_FIELD_NUMBER: _ClassVar[int]
    EXPIRE_TIME_FIELD_NUMBER: _ClassVar[int]
    access_token: str
    role: _resources_pb2.AccessToken.Role
    workspace: str
    expire_time: _timestamp_pb2.Timestamp
    def __init__(self, access_token: _Optional[str] = ..., role: _Optional[_Union[_resources_pb2.AccessToken.Role, str]] = ..., workspace: _Optional[str] = ..., expire_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class CheckAccessRequest(_message.Message):
    __slots__ = ("parent", "address", "api_key", "draft", "time", "page_size", "page_token")
    class Draft(_message.Message):
        __slots__ = ("allow_list", "ranges")
        ALLOW_LIST_FIELD_NUMBER: _ClassVar[int]
        RANGES_FIELD_NUMBER: _ClassVar[int]
        allow_list: str
        ranges: _containers.RepeatedCompositeFieldContainer[_resources_pb2.Range]
        def __init__(self, allow_list: _Optional[str] = ..., ranges: _Optional[_Iterable[_Union[_resources_pb2.Range, _Mapping]]] = ...) -> None: ...
    PARENT_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    API_KEY_FIELD_NUMBER: _ClassVar[int]
    DRAFT_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    parent: str
    address: str
    api_key: str
    draft: CheckAccessRequest.Draft
    time: _timestamp_pb2.Timestamp
    page_size: int
    page_token: str
    def __init__(self, parent: _Optional[str] = ..., address: _Optional[str] = ..., api_key: _Optional[str] = ..., draft: _Optional[_Union[CheckAccessRequest.Draft, _Mapping]] = ..., time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class CheckAccessResponse(_message.Message):
    __slots__ = ("address", "time", "allow_lists", "api_keys", "next_page_token")
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    ALLOW_LISTS_FIELD_NUMBER: _ClassVar[int]
    API_KEYS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    address: str
    time: _timestamp_pb2.Timestamp
    allow_lists: _containers.RepeatedCompositeFieldContainer[_resources_pb2.AllowList]
    api_keys: _containers.RepeatedCompositeFieldContainer[CheckedApiKey]
    next_page_token: str
    def __init__(self, address: _Optional[str] = ..., time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., allow_lists: _Optional[_Iterable[_Union[_resources_pb2.AllowList, _Mapping]]] = ..., api_keys: _Optional[_Iterable[_Union[CheckedApiKey, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class CheckedApiKey(_message.Message):
    __slots__ = ("decision", "decision_without_draft", "display_name")
    DECISION_FIELD_NUMBER: _ClassVar[int]
    DECISION_WITHOUT_DRAFT_FIELD_NUMBER: _ClassVar[int]
    DISPLAY_NAME_FIELD_NUMBER: _ClassVar[int]
    decision: _authorize_pb2.AuthorizeResponse
    decision_without_draft: _authorize_pb2.AuthorizeResponse
    display_name: str
    def __init__(self, decision: _Optional[_Union[_authorize_pb2.AuthorizeResponse, _Mapping]] = ..., decision_without_draft: _Optional[_Union[_authorize_pb2.AuthorizeResponse, _Mapping]] = ..., display_name: _Optional[str] = ...) -> None: ...

class ListAuditEventsRequest(_message.Message):
    __slots__ = ("parent", "resource", "actor", "method", "start_time", "end_time", "page_size", "page_token")
    PARENT_FIELD_NUMBER: _ClassVar[int]
    RESOURCE_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    METHOD_FIELD_NUMBER: _ClassVar[int]
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    END_TIME_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    parent: str
    resource: str
    actor: str
    method: str
    start_time: _timestamp_pb2.Timestamp
    end_time: _timestamp_pb2.Timestamp
    page_size: int
    page_token: str
    def __init__(self, parent: _Optional[str] = ..., resource: _Optional[str] = ..., actor: _Optional[str] = ..., method: _Optional[str] = ..., start_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., end_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListAuditEventsResponse(_message.Message):
    __slots__ = ("events", "next_page_token")
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    events: _containers.RepeatedCompositeFieldContainer[AuditEvent]
    next_page_token: str
    def __init__(self, events: _Optional[_Iterable[_Union[AuditEvent, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class AuditEvent(_message.Message):
    __slots__ = ("time", "actor", "role", "peer", "request_id", "method", "resource", "revision", "denied_count", "attributes", "effect", "ranges", "linked_api_keys", "unlinked_api_keys", "allow_lists_added", "allow_lists_removed")
    TIME_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    PEER_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    METHOD_FIELD_NUMBER: _ClassVar[int]
    RESOURCE_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    DENIED_COUNT_FIELD_NUMBER: _ClassVar[int]
    ATTRIBUTES_FIELD_NUMBER: _ClassVar[int]
    EFFECT_FIELD_NUMBER: _ClassVar[int]
    RANGES_FIELD_NUMBER: _ClassVar[int]
    LINKED_API_KEYS_FIELD_NUMBER: _ClassVar[int]
    UNLINKED_API_KEYS_FIELD_NUMBER: _ClassVar[int]
    ALLOW_LISTS_ADDED_FIELD_NUMBER: _ClassVar[int]
    ALLOW_LISTS_REMOVED_FIELD_NUMBER: _ClassVar[int]
    time: _timestamp_pb2.Timestamp
    actor: str
    role: _resources_pb2.AccessToken.Role
    peer: str
    request_id: str
    method: str
    resource: str
    revision: str
    denied_count: int
    attributes: _containers.RepeatedCompositeFieldContainer[AttributeChange]
    effect: Effect
    ranges: _containers.RepeatedCompositeFieldContainer[RangeChange]
    linked_api_keys: AffectedApiKeys
    unlinked_api_keys: AffectedApiKeys
    allow_lists_added: AffectedAllowLists
    allow_lists_removed: AffectedAllowLists
    def __init__(self, time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., actor: _Optional[str] = ..., role: _Optional[_Union[_resources_pb2.AccessToken.Role, str]] = ..., peer: _Optional[str] = ..., request_id: _Optional[str] = ..., method: _Optional[str] = ..., resource: _Optional[str] = ..., revision: _Optional[str] = ..., denied_count: _Optional[int] = ..., attributes: _Optional[_Iterable[_Union[AttributeChange, _Mapping]]] = ..., effect: _Optional[_Union[Effect, _Mapping]] = ..., ranges: _Optional[_Iterable[_Union[RangeChange, _Mapping]]] = ..., linked_api_keys: _Optional[_Union[AffectedApiKeys, _Mapping]] = ..., unlinked_api_keys: _Optional[_Union[AffectedApiKeys, _Mapping]] = ..., allow_lists_added: _Optional[_Union[AffectedAllowLists, _Mapping]] = ..., allow_lists_removed: _Optional[_Union[AffectedAllowLists, _Mapping]] = ...) -> None: ...

class AttributeChange(_message.Message):
    __slots__ = ("attribute", "before", "after")
    ATTRIBUTE_FIELD_NUMBER: _ClassVar[int]
    BEFORE_FIELD_NUMBER: _ClassVar[int]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    attribute: str
    before: _struct_pb2.Value
    after: _struct_pb2.Value
    def __init__(self, attribute: _Optional[str] = ..., before: _Optional[_Union[_struct_pb2.Value, _Mapping]] = ..., after: _Optional[_Union[_struct_pb2.Value, _Mapping]] = ...) -> None: ...

class RangeChange(_message.Message):
    __slots__ = ("before", "after")
    BEFORE_FIELD_NUMBER: _ClassVar[int]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    before: _resources_pb2.Range
    after: _resources_pb2.Range
    def __init__(self, before: _Optional[_Union[_resources_pb2.Range, _Mapping]] = ..., after: _Optional[_Union[_resources_pb2.Range, _Mapping]] = ...) -> None: ...

class AffectedAllowLists(_message.Message):
    __slots__ = ("count", "allow_lists")
    COUNT_FIELD_NUMBER: _ClassVar[int]
    ALLOW_LISTS_FIELD_NUMBER: _ClassVar[int]
    count: int
    allow_lists: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, count: _Optional[int] = ..., allow_lists: _Optional[_Iterable[str]] = ...) -> None: ...
