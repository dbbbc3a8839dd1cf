"""The stored form of every resource: the one place that states its fields and their codecs.

Readers, writers, exports, imports and `ipgate doctor` derive from it, and a test checks docs/redis-keys.md
against it. To store a new field: add it here, to the resource in domain/resources.py, to the proto and to
rpc/convert.py.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from ipgate.domain.errors import Violation
from ipgate.domain.resources import Range
from ipgate.domain.text_validation import check_description, check_display_name, check_note
from ipgate.domain.writing import AttributeChange
from ipgate.store.codecs import Codec, Flag, Identifier, Instant, Number, Pattern, StoredRole, Text

_CHANGE_ID = Pattern("[0-9a-f]{16}", "16 hexadecimal digits")
_SHA256 = Pattern("[0-9a-f]{64}", "a SHA-256 in 64 hexadecimal digits")
_SHA256_OR_NONE = Pattern("([0-9a-f]{64})?", "a SHA-256 in 64 hexadecimal digits")
_CHANGE_ID_OR_NONE = Pattern("([0-9a-f]{16})?", "16 hexadecimal digits")
_TIME = Number((1 << 63) - 1)
_COUNT = Number(10**15)
_BLOCKS = Number(1 << 64)
_NAME = Text(check_display_name)
_REQUIRED_NAME = Text(partial(check_display_name, required=True))
_DESCRIPTION = Text(partial(check_description, required=True))


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a hash.

    `attribute`: of the resource in the domain, "" for what only the store needs. `exported`: its name in an
    export, "" for what an import computes. `absent`: the text that stands for the field where an older store
    or export lacks it; None if it must be there.
    """

    name: str
    codec: Codec
    attribute: str = ""
    exported: str = ""
    absent: str | None = None

    def read(self, stored: Mapping[str, str]) -> Any:
        """Return the value.

        Raises: KeyError and ValueError for damage.
        """
        text = stored[self.name] if self.absent is None else stored.get(self.name, self.absent)
        return self.codec.decode(text)

    def shown(self, stored: Mapping[str, str]) -> Any:
        """Return the value as an export has it, None where it is missing or damaged."""
        try:
            return self.codec.to_json(self.codec.decode(stored[self.name]))
        except (KeyError, ValueError):
            return None


@dataclass(frozen=True, slots=True)
class Schema:
    """The fields of one kind of resource, which `kind` names in keys and exports."""

    kind: str
    fields: tuple[Field, ...]
    has_meta: bool = True

    def __getitem__(self, name: str) -> Field:
        """Return the field of a name."""
        return next(field for field in self.fields if field.name == name)

    def _all(self) -> tuple[Field, ...]:
        return (*self.fields, *META_FIELDS) if self.has_meta else self.fields

    def encode(self, attributes: Mapping[str, Any]) -> dict[str, str]:
        """Return the stored form of those attributes that are stored."""
        return {
            field.name: field.codec.encode(attributes[field.attribute])
            for field in self.fields
            if field.attribute in attributes
        }

    def encode_resource(self, resource: object) -> dict[str, str]:
        """Return the stored form of a whole resource."""
        return self.encode(self.attributes(resource))

    def attributes(self, resource: object) -> dict[str, Any]:
        """Return the attributes of a resource that are stored."""
        names = [field.attribute for field in self.fields if field.attribute]
        return {name: getattr(resource, name) for name in names}

    def check_texts(self, path: str, attributes: Mapping[str, Any]) -> list[Violation]:
        """Return what is wrong with the texts among attributes of the request's field `path`."""
        return [
            violation
            for field in self.fields
            if field.attribute in attributes and isinstance(field.codec, Text)
            for violation in field.codec.check(
                f"{path}.{field.attribute}", attributes[field.attribute]
            )
        ]

    def decode(self, stored: Mapping[str, str]) -> dict[str, Any]:
        """Return the attributes of a resource.

        Raises: KeyError and ValueError for damage.
        """
        return {field.attribute: field.read(stored) for field in self.fields if field.attribute}

    def to_record(self, stored: Mapping[str, str]) -> dict[str, Any]:
        """Return the fields of an export's line.

        Raises: KeyError and ValueError for damage.
        """
        return {
            field.exported: field.codec.to_json(field.read(stored))
            for field in self._all()
            if field.exported
        }

    def from_record(self, record: Mapping[str, Any]) -> dict[str, str]:
        """Return the stored form of an export's line; what an older one lacks has its default."""
        fields = {}
        for field in self._all():
            if field.exported in record:
                value = field.codec.from_json(record[field.exported])
                fields[field.name] = field.codec.encode(value)
            elif field.exported and field.absent is not None:
                fields[field.name] = field.absent
        return fields

    def record_codecs(self) -> dict[str, Codec]:
        """Return the codec of each field of an export's line."""
        return {field.exported: field.codec for field in self._all() if field.exported}

    def optional_in_records(self) -> frozenset[str]:
        """Return the fields that an older export may lack."""
        return frozenset(field.exported for field in self.fields if field.absent is not None)

    def differences(
        self, before: Mapping[str, str], after: Mapping[str, str]
    ) -> tuple[AttributeChange, ...]:
        """Return the attributes that have another value after a change, in the order of the fields.

        `before`, `after`: those stored fields that differ. A damaged value counts as none: a change may repair it.
        """
        changes = []
        for field in self.fields:
            if field.name in before or field.name in after:
                former, present = field.shown(before), field.shown(after)
                if former != present:
                    changes.append(AttributeChange(field.attribute, former, present))
        return tuple(changes)

    def damage(self, stored: Mapping[str, str]) -> list[Violation]:
        """Return what is wrong with the fields of a stored resource."""
        violations = []
        for field in self._all():
            try:
                value = field.codec.to_json(field.read(stored))
            except (KeyError, ValueError):
                violations.append(Violation(field.name, "cannot be read"))
            else:
                violations += field.codec.check(field.name, value)
        return violations


META_FIELDS = (
    Field("created", _TIME, exported="created"),
    Field("updated", _TIME, exported="updated"),
    Field("etag", _CHANGE_ID, exported="etag"),
    Field("rev", _COUNT, exported="rev"),
)
"""What scripts keep for every resource: times in ns since 1970, the id and number of its last change."""

WORKSPACE = Schema(
    "workspace",
    (
        Field("display_name", _NAME, "display_name", "display_name"),
        Field("require", Flag(), "require_allow_list", "require_allow_list"),
        Field("default_on", Flag(), "default_enabled", "default_enabled"),
        Field("default", Identifier(optional=True), "default_list", "default_list"),
        Field("report", Flag(), "default_report_only", "default_report_only", absent="0"),
        Field("ipv6", Flag(), "ipv6_enabled", "ipv6_enabled", absent="0"),
        Field("audit_from", _TIME, absent="0"),
    ),
)

ALLOW_LIST = Schema(
    "list",
    (
        Field("display_name", _REQUIRED_NAME, "display_name", "display_name"),
        # Files of older versions lack it: an import computes it then.
        Field("folded", _REQUIRED_NAME, exported="folded"),
        Field("description", _DESCRIPTION, "description", "description"),
        # At least how many addresses, and blocks of IPv6, the ranges cover together (domain/intervals.py).
        Field("addresses", _BLOCKS),
        Field("blocks", _BLOCKS),
        Field("ipv6_ranges", _COUNT),
        Field("ranges_tip", _CHANGE_ID),
    ),
)

API_KEY = Schema(
    "key",
    (
        Field("display_name", _NAME, "display_name", "display_name"),
        # Files of older versions lack it: an import computes it then.
        Field("folded", _NAME, exported="folded", absent=""),
        Field("disabled", Flag(), "disabled", "disabled"),
        Field("expire", Instant(), "expire_time", "expire"),
        Field("report", Flag(), "report_only", "report_only", absent="0"),
        Field("digest", _SHA256, exported="digest"),
        Field("indexed", _CHANGE_ID),
        # After a rotation: the credential before, until when it works, and what its index entry names.
        Field("previous", _SHA256_OR_NONE, exported="previous_digest", absent=""),
        Field(
            "previous_until",
            Instant(),
            "previous_credential_expire_time",
            "previous_expire",
            absent="",
        ),
        Field("previous_indexed", _CHANGE_ID_OR_NONE, absent=""),
    ),
)

ACCESS_TOKEN = Schema(
    "token",
    (
        Field("id", Identifier(), "id", "id"),
        Field("display_name", _NAME, "display_name", "display_name"),
        Field("role", StoredRole(), "role", "role"),
        Field("workspace", Identifier(optional=True), "workspace", "workspace"),
        Field("expire", Instant(), "expire_time", "expire"),
    ),
)

RANGE = Schema(
    "range",
    (
        Field("start", Instant(), "start_time", "start_time", absent=""),
        Field("expire", Instant(), "expire_time", "expire_time", absent=""),
        Field("off", Flag(), "disabled", "disabled", absent="0"),
        Field("note", Text(check_note), "note", "note", absent=""),
    ),
    has_meta=False,
)
"""The attributes of a range, which are stored together in one value."""


def encode_attributes(stored: Mapping[str, str]) -> str:
    """Return the value that is stored for a range: its attributes as JSON, or "" if all have their defaults."""
    attributes = {
        field.name: stored[field.name]
        for field in RANGE.fields
        if stored[field.name] != field.absent
    }
    return json.dumps(attributes, ensure_ascii=False, separators=(",", ":")) if attributes else ""


def encode_range(range_: Range) -> str:
    """Return the value that is stored for a range."""
    if range_[1:] == _PLAIN:
        return ""
    return encode_attributes(RANGE.encode_resource(range_))


def decode_range(cidr: str, value: str) -> Range:
    """Return a range of its stored value.

    Raises: KeyError and ValueError for damage.
    """
    if not value:
        return Range(cidr)
    stored = json.loads(value)
    if not isinstance(stored, dict) or not all(isinstance(text, str) for text in stored.values()):
        raise ValueError("not the attributes of a range")
    return Range(cidr, **RANGE.decode(stored))


_PLAIN = Range("")[1:]

SCHEMAS = {schema.kind: schema for schema in (WORKSPACE, ALLOW_LIST, API_KEY, ACCESS_TOKEN)}
