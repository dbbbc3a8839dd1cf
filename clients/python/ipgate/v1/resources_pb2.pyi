from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Workspace(_message.Message):
    __slots__ = ("name", "display_name", "require_allow_list", "default_allow_list", "create_time", "update_time", "etag", "revision", "ipv6_enabled")
    NAME_FIELD_NUMBER: _ClassVar[int]
    DISPLAY_NAME_FIELD_NUMBER: _ClassVar[int]
    REQUIRE_ALLOW_LIST_FIELD_NUMBER: _ClassVar[int]
    DEFAULT_ALLOW_LIST_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    UPDATE_TIME_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    IPV6_ENABLED_FIELD_NUMBER: _ClassVar[int]
    name: str
    display_name: str
    require_allow_list: bool
    default_allow_list: DefaultAllowList
    create_time: _timestamp_pb2.Timestamp
    update_time: _timestamp_pb2.Timestamp
    etag: str
    revision: str
    ipv6_enabled: bool
    def __init__(self, name: _Optional[str] = ..., display_name: _Optional[str] = ..., require_allow_list: bool = ..., default_allow_list: _Optional[_Union[DefaultAllowList, _Mapping]] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., update_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., etag: _Optional[str] = ..., revision: _Optional[str] = ..., ipv6_enabled: bool = ...) -> None: ...

class DefaultAllowList(_message.Message):
    __slots__ = ("enabled", "allow_list", "report_only")
    ENABLED_FIELD_NUMBER: _ClassVar[int]
    ALLOW_LIST_FIELD_NUMBER: _ClassVar[int]
    REPORT_ONLY_FIELD_NUMBER: _ClassVar[int]
    enabled: bool
    allow_list: str
    report_only: bool
    def __init__(self, enabled: bool = ..., allow_list: _Optional[str] = ..., report_only: bool = ...) -> None: ...

class Range(_message.Message):
    __slots__ = ("cidr", "note", "start_time", "expire_time", "disabled")
    CIDR_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    EXPIRE_TIME_FIELD_NUMBER: _ClassVar[int]
    DISABLED_FIELD_NUMBER: _ClassVar[int]
    cidr: str
    note: str
    start_time: _timestamp_pb2.Timestamp
    expire_time: _timestamp_pb2.Timestamp
    disabled: bool
    def __init__(self, cidr: _Optional[str] = ..., note: _Optional[str] = ..., start_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., expire_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., disabled: bool = ...) -> None: ...

class AllowList(_message.Message):
    __slots__ = ("name", "display_name", "description", "range_count", "linked_api_key_count", "create_time", "update_time", "etag", "revision", "ranges", "ranges_omitted")
    NAME_FIELD_NUMBER: _ClassVar[int]
    DISPLAY_NAME_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    RANGE_COUNT_FIELD_NUMBER: _ClassVar[int]
    LINKED_API_KEY_COUNT_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    UPDATE_TIME_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    RANGES_FIELD_NUMBER: _ClassVar[int]
    RANGES_OMITTED_FIELD_NUMBER: _ClassVar[int]
    name: str
    display_name: str
    description: str
    range_count: int
    linked_api_key_count: int
    create_time: _timestamp_pb2.Timestamp
    update_time: _timestamp_pb2.Timestamp
    etag: str
    revision: str
    ranges: _containers.RepeatedCompositeFieldContainer[Range]
    ranges_omitted: bool
    def __init__(self, name: _Optional[str] = ..., display_name: _Optional[str] = ..., description: _Optional[str] = ..., range_count: _Optional[int] = ..., linked_api_key_count: _Optional[int] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., update_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., etag: _Optional[str] = ..., revision: _Optional[str] = ..., ranges: _Optional[_Iterable[_Union[Range, _Mapping]]] = ..., ranges_omitted: bool = ...) -> None: ...

class ApiKey(_message.Message):
    __slots__ = ("name", "display_name", "disabled", "expire_time", "allow_lists", "access", "create_time", "update_time", "etag", "revision", "report_only", "previous_credential_expire_time")
    class Access(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        ACCESS_UNSPECIFIED: _ClassVar[ApiKey.Access]
        ACCESS_LISTS: _ClassVar[ApiKey.Access]
        ACCESS_DEFAULT: _ClassVar[ApiKey.Access]
        ACCESS_UNRESTRICTED: _ClassVar[ApiKey.Access]
        ACCESS_CLOSED: _ClassVar[ApiKey.Access]
    ACCESS_UNSPECIFIED: ApiKey.Access
    ACCESS_LISTS: ApiKey.Access
    ACCESS_DEFAULT: ApiKey.Access
    ACCESS_UNRESTRICTED: ApiKey.Access
    ACCESS_CLOSED: ApiKey.Access
    NAME_FIELD_NUMBER: _ClassVar[int]
    DISPLAY_NAME_FIELD_NUMBER: _ClassVar[int]
    DISABLED_FIELD_NUMBER: _ClassVar[int]
    EXPIRE_TIME_FIELD_NUMBER: _ClassVar[int]
    ALLOW_LISTS_FIELD_NUMBER: _ClassVar[int]
    ACCESS_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    UPDATE_TIME_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    REPORT_ONLY_FIELD_NUMBER: _ClassVar[int]
    PREVIOUS_CREDENTIAL_EXPIRE_TIME_FIELD_NUMBER: _ClassVar[int]
    name: str
    display_name: str
    disabled: bool
    expire_time: _timestamp_pb2.Timestamp
    allow_lists: _containers.RepeatedScalarFieldContainer[str]
    access: ApiKey.Access
    create_time: _timestamp_pb2.Timestamp
    update_time: _timestamp_pb2.Timestamp
    etag: str
    revision: str
    report_only: bool
    previous_credential_expire_time: _timestamp_pb2.Timestamp
    def __init__(self, name: _Optional[str] = ..., display_name: _Optional[str] = ..., disabled: bool = ..., expire_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., allow_lists: _Optional[_Iterable[str]] = ..., access: _Optional[_Union[ApiKey.Access, str]] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., update_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., etag: _Optional[str] = ..., revision: _Optional[str] = ..., report_only: bool = ..., previous_credential_expire_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class AccessToken(_message.Message):
    __slots__ = ("name", "display_name", "role", "workspace", "expire_time", "create_time", "revision")
    class Role(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        ROLE_UNSPECIFIED: _ClassVar[AccessToken.Role]
        ROLE_WORKSPACE_ADMIN: _ClassVar[AccessToken.Role]
        ROLE_WORKSPACE_VIEWER: _ClassVar[AccessToken.Role]
        ROLE_AUTHORIZER: _ClassVar[AccessToken.Role]
        ROLE_ROOT: _ClassVar[AccessToken.Role]
    ROLE_UNSPECIFIED: AccessToken.Role
    ROLE_WORKSPACE_ADMIN: AccessToken.Role
    ROLE_WORKSPACE_VIEWER: AccessToken.Role
    ROLE_AUTHORIZER: AccessToken.Role
    ROLE_ROOT: AccessToken.Role
    NAME_FIELD_NUMBER: _ClassVar[int]
    DISPLAY_NAME_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    WORKSPACE_FIELD_NUMBER: _ClassVar[int]
    EXPIRE_TIME_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    name: str
    display_name: str
    role: AccessToken.Role
    workspace: str
    expire_time: _timestamp_pb2.Timestamp
    create_time: _timestamp_pb2.Timestamp
    revision: str
    def __init__(self, name: _Optional[str] = ..., display_name: _Optional[str] = ..., role: _Optional[_Union[AccessToken.Role, str]] = ..., workspace: _Optional[str] = ..., expire_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., revision: _Optional[str] = ...) -> None: ...
