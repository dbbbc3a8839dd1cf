from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Reason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    REASON_UNSPECIFIED: _ClassVar[Reason]
    REASON_KEY_UNKNOWN: _ClassVar[Reason]
    REASON_KEY_DISABLED: _ClassVar[Reason]
    REASON_KEY_EXPIRED: _ClassVar[Reason]
    REASON_LINKED_LIST_MATCH: _ClassVar[Reason]
    REASON_NOT_IN_LINKED_LISTS: _ClassVar[Reason]
    REASON_DEFAULT_LIST_MATCH: _ClassVar[Reason]
    REASON_NOT_IN_DEFAULT_LIST: _ClassVar[Reason]
    REASON_NO_ALLOW_LIST: _ClassVar[Reason]
    REASON_UNRESTRICTED: _ClassVar[Reason]
    REASON_NO_CLIENT_ADDRESS: _ClassVar[Reason]
REASON_UNSPECIFIED: Reason
REASON_KEY_UNKNOWN: Reason
REASON_KEY_DISABLED: Reason
REASON_KEY_EXPIRED: Reason
REASON_LINKED_LIST_MATCH: Reason
REASON_NOT_IN_LINKED_LISTS: Reason
REASON_DEFAULT_LIST_MATCH: Reason
REASON_NOT_IN_DEFAULT_LIST: Reason
REASON_NO_ALLOW_LIST: Reason
REASON_UNRESTRICTED: Reason
REASON_NO_CLIENT_ADDRESS: Reason

class AuthorizeRequest(_message.Message):
    __slots__ = ("key", "api_key", "ip", "forwarded", "min_revision")
    KEY_FIELD_NUMBER: _ClassVar[int]
    API_KEY_FIELD_NUMBER: _ClassVar[int]
    IP_FIELD_NUMBER: _ClassVar[int]
    FORWARDED_FIELD_NUMBER: _ClassVar[int]
    MIN_REVISION_FIELD_NUMBER: _ClassVar[int]
    key: str
    api_key: str
    ip: str
    forwarded: Forwarded
    min_revision: str
    def __init__(self, key: _Optional[str] = ..., api_key: _Optional[str] = ..., ip: _Optional[str] = ..., forwarded: _Optional[_Union[Forwarded, _Mapping]] = ..., min_revision: _Optional[str] = ...) -> None: ...

class Forwarded(_message.Message):
    __slots__ = ("peer", "x_forwarded_for", "forwarded")
    PEER_FIELD_NUMBER: _ClassVar[int]
    X_FORWARDED_FOR_FIELD_NUMBER: _ClassVar[int]
    FORWARDED_FIELD_NUMBER: _ClassVar[int]
    peer: str
    x_forwarded_for: _containers.RepeatedScalarFieldContainer[str]
    forwarded: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, peer: _Optional[str] = ..., x_forwarded_for: _Optional[_Iterable[str]] = ..., forwarded: _Optional[_Iterable[str]] = ...) -> None: ...

class AuthorizeResponse(_message.Message):
    __slots__ = ("allowed", "reason", "api_key", "allow_list", "range", "revision", "report_only", "address")
    ALLOWED_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    API_KEY_FIELD_NUMBER: _ClassVar[int]
    ALLOW_LIST_FIELD_NUMBER: _ClassVar[int]
    RANGE_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    REPORT_ONLY_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    allowed: bool
    reason: Reason
    api_key: str
    allow_list: str
    range: str
    revision: str
    report_only: bool
    address: str
    def __init__(self, allowed: bool = ..., reason: _Optional[_Union[Reason, str]] = ..., api_key: _Optional[str] = ..., allow_list: _Optional[str] = ..., range: _Optional[str] = ..., revision: _Optional[str] = ..., report_only: bool = ..., address: _Optional[str] = ...) -> None: ...

class BatchAuthorizeRequest(_message.Message):
    __slots__ = ("requests",)
    REQUESTS_FIELD_NUMBER: _ClassVar[int]
    requests: _containers.RepeatedCompositeFieldContainer[AuthorizeRequest]
    def __init__(self, requests: _Optional[_Iterable[_Union[AuthorizeRequest, _Mapping]]] = ...) -> None: ...

class BatchAuthorizeResponse(_message.Message):
    __slots__ = ("results",)
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    results: _containers.RepeatedCompositeFieldContainer[BatchAuthorizeResult]
    def __init__(self, results: _Optional[_Iterable[_Union[BatchAuthorizeResult, _Mapping]]] = ...) -> None: ...

class BatchAuthorizeResult(_message.Message):
    __slots__ = ("response", "error")
    RESPONSE_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    response: AuthorizeResponse
    error: Error
    def __init__(self, response: _Optional[_Union[AuthorizeResponse, _Mapping]] = ..., error: _Optional[_Union[Error, _Mapping]] = ...) -> None: ...

class StreamAuthorizeRequest(_message.Message):
    __slots__ = ("id", "request")
    ID_FIELD_NUMBER: _ClassVar[int]
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    id: str
    request: AuthorizeRequest
    def __init__(self, id: _Optional[str] = ..., request: _Optional[_Union[AuthorizeRequest, _Mapping]] = ...) -> None: ...

class StreamAuthorizeResponse(_message.Message):
    __slots__ = ("id", "response", "error")
    ID_FIELD_NUMBER: _ClassVar[int]
    RESPONSE_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    id: str
    response: AuthorizeResponse
    error: Error
    def __init__(self, id: _Optional[str] = ..., response: _Optional[_Union[AuthorizeResponse, _Mapping]] = ..., error: _Optional[_Union[Error, _Mapping]] = ...) -> None: ...

class Error(_message.Message):
    __slots__ = ("code", "message", "reason", "field_violations")
    CODE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    FIELD_VIOLATIONS_FIELD_NUMBER: _ClassVar[int]
    code: int
    message: str
    reason: str
    field_violations: _containers.RepeatedCompositeFieldContainer[FieldViolation]
    def __init__(self, code: _Optional[int] = ..., message: _Optional[str] = ..., reason: _Optional[str] = ..., field_violations: _Optional[_Iterable[_Union[FieldViolation, _Mapping]]] = ...) -> None: ...

class FieldViolation(_message.Message):
    __slots__ = ("field", "description")
    FIELD_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    field: str
    description: str
    def __init__(self, field: _Optional[str] = ..., description: _Optional[str] = ...) -> None: ...
