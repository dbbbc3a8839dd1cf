"""Ranges as requests have them, and their texts."""

from collections.abc import Iterable
from typing import Any

from google.protobuf.json_format import ParseDict
from ipgate.v1 import resources_pb2 as resources


def plain(ranges: Iterable[str | dict[str, Any]]) -> list[resources.Range]:
    """The ranges of those texts, or of JSON with their attributes."""
    return [
        resources.Range(cidr=item) if isinstance(item, str) else ParseDict(item, resources.Range())
        for item in ranges
    ]


def cidrs(holder: Any) -> list[str]:
    """The texts of the ranges of a list, or of a page of them."""
    return [range_.cidr for range_ in holder.ranges]
