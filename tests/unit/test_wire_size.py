"""Counting what is in an encoded message before it is decoded."""

from typing import Any

import pytest
from google.protobuf.message import DecodeError, Message
from hypothesis import given
from hypothesis import strategies as st
from ipgate.domain.errors import LimitExceeded
from ipgate.rpc.wire_size import STEP, check_fields
from ipgate.v1 import admin_pb2 as admin
from ipgate.v1 import authorize_pb2 as authorize

TEXTS = st.text(max_size=5)
RANGES = st.fixed_dictionaries(
    {
        "cidr": TEXTS,
        "note": TEXTS,
        "expire_time": st.fixed_dictionaries({"nanos": st.integers(0, 9)}),
    }
)
REQUESTS = st.one_of(
    st.builds(admin.AddRangesRequest, allow_list=TEXTS, ranges=st.lists(RANGES, max_size=9)),
    st.builds(admin.RemoveRangesRequest, allow_list=TEXTS, ranges=st.lists(TEXTS, max_size=9)),
    st.builds(
        admin.UpdateAllowListRequest,
        allow_list=st.fixed_dictionaries({"name": TEXTS, "ranges": st.lists(RANGES, max_size=9)}),
        update_mask=st.fixed_dictionaries({"paths": st.lists(TEXTS, max_size=9)}),
        validate_only=st.booleans(),
    ),
    st.builds(
        authorize.BatchAuthorizeRequest,
        requests=st.lists(st.fixed_dictionaries({"key": TEXTS, "ip": TEXTS}), max_size=9),
    ),
)


def fields(message: Message) -> int:
    """How many fields and entries a message and those in it have."""
    count = 0
    for field, value in message.ListFields():
        values: Any = value if field.is_repeated else [value]
        for entry in values:
            count += 1 + (fields(entry) if isinstance(entry, Message) else 0)
    return count


def passes(raw: bytes, request: Message, limit: int) -> bool:
    try:
        for _ in check_fields(raw, request.DESCRIPTOR, limit):
            pass
    except LimitExceeded:
        return False
    return True


@given(REQUESTS)
def test_each_field_and_entry_is_counted_once(request: Message) -> None:
    """The limit is exact, also for what is in messages that are in the message."""
    raw, count = request.SerializeToString(), fields(request)
    assert passes(raw, request, count)
    assert not count or not passes(raw, request, count - 1)


@given(st.binary(max_size=60))
def test_what_can_be_decoded_is_counted_and_nothing_else_fails(raw: bytes) -> None:
    """Any bytes are taken; of those that can be decoded, no known field is missed."""
    request = admin.UpdateAllowListRequest()
    assert passes(raw, request, len(raw) + 1)
    try:
        request.ParseFromString(raw)
    except DecodeError:
        return
    # Of a field that is there several times, the message has the last or the merged one.
    assert passes(raw, request, fields(request) - 1) is False or not fields(request)


@pytest.mark.parametrize(
    ("kind", "element"),
    [
        (admin.AddRangesRequest, b"\x12\x00"),
        (admin.AddRangesRequest, b"\x78\x00"),
        (admin.AddRangesRequest, b"\x7b\x7c"),
        (authorize.BatchAuthorizeRequest, b"\x0a\x00"),
    ],
)
def test_counting_ends_at_the_limit(kind: type[Message], element: bytes) -> None:
    """Two million empty entries, known or not, cost no more steps than the limit."""
    steps = check_fields(element * 2_000_000, kind.DESCRIPTOR, 100_000)
    for _ in range(100_000 // STEP):
        next(steps)
    with pytest.raises(LimitExceeded, match="100,000"):
        next(steps)
