"""The stored form: codecs there and back, and that the documentation names every field."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ipgate.domain.resources import MAX_TIME, MIN_TIME, Role
from ipgate.store.codecs import Flag, Identifier, Instant, Number, Pattern, StoredRole
from ipgate.store.key_names import KINDS
from ipgate.store.schema import META_FIELDS, SCHEMAS, Schema

DOCS = Path(__file__).parents[2] / "docs" / "redis-keys.md"

IDS = st.from_regex(r"\A[a-z][a-z0-9-]{0,62}\Z")
VALUES: dict[type, st.SearchStrategy[Any]] = {
    Flag: st.booleans(),
    Identifier: IDS,
    Instant: st.none() | st.integers(MIN_TIME, MAX_TIME),
    StoredRole: st.sampled_from([role for role in Role if role is not Role.ROOT]),
}


@given(st.data())
@pytest.mark.parametrize("schema", SCHEMAS.values(), ids=lambda schema: schema.kind)
def test_attributes_come_back_as_they_were_stored(schema: Schema, data: st.DataObject) -> None:
    """From the resource to Redis and back, and from Redis to an export and back."""
    attributes = {
        field.attribute: data.draw(VALUES.get(type(field.codec), st.text()), field.name)
        for field in schema.fields
        if field.attribute
    }
    stored = schema.encode(attributes)
    kept = {field.name: "1" for field in META_FIELDS if field.name != "etag"} | {"etag": "0" * 16}
    derived = {
        field.name: "f" * 64 if field.name in ("digest", "previous") else "x"
        for field in schema.fields
        if field.exported and not field.attribute
    }
    whole = stored | kept | derived
    assert schema.decode(whole) == attributes
    assert schema.from_record(schema.to_record(whole)) == whole


@pytest.mark.parametrize(
    ("codec", "text"),
    [
        (Flag(), ""),
        (Flag(), "yes"),
        (Number(10), "11"),
        (Number(10), "-1"),
        (Number(10), " 1"),
        (Number(10), "١"),
        (Number(10), ""),
        (Instant(), "soon"),
        (Instant(), str(MAX_TIME + 1)),
        (Identifier(), ""),
        (Identifier(optional=True), "A"),
        (Pattern("[0-9a-f]{16}", "16 digits"), "0" * 15),
        (StoredRole(), "ROOT"),
        (StoredRole(), "root"),
    ],
)
def test_damage_is_not_read_as_a_value(codec: Any, text: str) -> None:
    """Whatever cannot have been written is an error, never a default that may allow more."""
    with pytest.raises(ValueError):  # noqa: PT011  any
        codec.decode(text)


def test_the_documentation_names_every_kind_of_key_and_every_field() -> None:
    """docs/redis-keys.md has a row for each kind of key; the row of a resource names all of its fields."""
    page = DOCS.read_text()
    rows = {
        line.split("|")[1].strip(): line for line in page.splitlines() if line.startswith("| `")
    }
    for kind, key in KINDS.items():
        identifier = {"list": "L", "key": "K", "staged": "S"}.get(
            kind.partition("-")[0], "<sha256>"
        )
        name = key.form.format(workspace="W", id=identifier)
        row = next((line for first, line in rows.items() if first.endswith(f":{name}`")), "")
        assert row, f"{name} has no row"
        assert {"zset": "sorted set"}.get(key.type, key.type) in row
        if kind in SCHEMAS:
            missing = [field.name for field in SCHEMAS[kind].fields if f"`{field.name}`" not in row]
            assert not missing, f"the row of {name} lacks {missing}"
    for field in META_FIELDS:
        assert f"`{field.name}`" in page
