"""Names, ids and texts that people write."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ipgate.domain.characters import first_invisible, readable
from ipgate.domain.errors import InvalidArgument, quoted
from ipgate.domain.names import (
    ALLOW_LISTS,
    API_KEYS,
    Child,
    id_violations,
    parse_child,
    parse_workspace,
)
from ipgate.domain.text_validation import (
    casefold_name,
    check_description,
    check_display_name,
    unix_lines,
)

JOINED = [
    "می\u200cخواهم",  # Persian: a joiner keeps letters apart
    "क्\u200dष",  # Hindi
    "👩\u200d💻",
    "❤\ufe0f\u200d🔥",
    "🏴\U000e0067\U000e0062\U000e0077\U000e006c\U000e0073\U000e007f",
    "\U0001fae9",  # an emoji of Unicode 16
    "\U0001fb00\u0378",  # not assigned in older tables
]
"""Texts in use that have characters which cannot be seen, or which older tables do not have."""


@pytest.mark.parametrize("value", ["a", "a1", "a-b-", "z" * 63])
def test_an_id_of_the_right_form_is_accepted(value: str) -> None:
    """1 to 63 of a-z, 0-9 and dashes, beginning with a letter."""
    assert not id_violations("id", value)


@pytest.mark.parametrize(
    "value", ["", "1a", "-a", "A", "a_b", "a.b", "a/b", "a b", "a\n", "é", "z" * 64, "a" * 10_000]
)
def test_an_id_of_another_form_is_refused(value: str) -> None:
    """The message names the value and the form."""
    (violation,) = id_violations("id", value)
    assert "is not an id; use 1 to 63" in violation.description
    assert len(violation.description) < 200


@pytest.mark.parametrize(
    "name",
    ["", "workspaces/", "workspaces/a/", "workspaces/a\n", "/workspaces/a", "Workspaces/a",
     "workspaces/a/apiKeys/b", "workspaces/../a", "workspaces/a%2fb", "workspaces/" + "a" * 9999],
)  # fmt: skip
def test_a_malformed_workspace_name_is_refused(name: str) -> None:
    """Nothing but `workspaces/{id}` is a workspace's name."""
    with pytest.raises(InvalidArgument):
        parse_workspace("name", name)


def test_a_name_of_another_collection_is_refused() -> None:
    """A list's name is no key's name."""
    name = "workspaces/a/allowLists/b"
    assert Child("a", "b") == parse_child("name", name, ALLOW_LISTS)
    with pytest.raises(InvalidArgument):
        parse_child("name", name, API_KEYS)


@pytest.mark.parametrize(
    "value",
    [
        "a\x00",
        "a\nb",
        "a\x1b[31m",
        "a\u202eb",
        "a\u200bb",
        "a\u2028",
        "\ufeffa",
        " a",
        "a ",
        "x" * 201,
    ],
)
def test_a_display_name_that_could_deceive_is_refused(value: str) -> None:
    """Control and invisible characters, edge spaces and over-long names are refused."""
    faults = check_display_name("display_name", value)
    assert [violation.field for violation in faults] == ["display_name"]
    assert faults[0].description.isprintable()


@pytest.mark.parametrize(
    "value", ["Büro Köln", "東京", "a [b] <c> & 'd'", "😀", "x" * 200, *JOINED]
)
def test_a_display_name_of_any_script_is_accepted(value: str) -> None:
    """Letters, marks, punctuation and emoji of all scripts are fine."""
    assert not check_display_name("display_name", value)


def test_a_description_may_have_lines() -> None:
    """Only a description may hold a line break, and at most 2,000 characters."""
    assert not check_description("description", "one\ntwo")
    assert not check_description("description", "one\n\ttwo")
    assert check_description("description", "one\rtwo")
    assert unix_lines("one\r\ntwo\rthree\n") == "one\ntwo\nthree\n"
    assert check_description("description", "x" * 2001)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Office", "oFFICE"),
        ("Straße", "STRASSE"),
        ("ﬁn", "FIN"),
        ("é", "e\u0301"),
        ("می\u200cخواهم", "میخواهم"),
        ("❤\ufe0f", "❤"),
    ],
)
def test_display_names_that_look_alike_are_the_same(one: str, other: str) -> None:
    """Case and composition do not make a difference."""
    assert casefold_name(one) == casefold_name(other)


def test_a_shown_value_is_one_short_line() -> None:
    """Whatever a caller sends, an error or a log shows it on one line, cut."""
    assert quoted("a\r\nb\x1b").isprintable()
    assert len(quoted("é" * 10_000)) < 600


@pytest.mark.parametrize(
    "value",
    ["a\u200db", "a\u200cب", "\u200cب", "ب\u200c", "ب\u200c\u200cب", "ب \u200cب", "😀\u200d",
     "\U000e0067", "x\U000e0067\U000e007f", "\ue000", "\U0010ffff", "\ufdd0", "\u3164", "\xad"],
)  # fmt: skip
def test_a_joiner_is_taken_only_where_it_joins(value: str) -> None:
    """At an end, next to Latin letters or spaces, or twice, it could only make names look alike; so
    could tags alone, fillers, and code points that are no characters."""
    (violation,) = check_display_name("display_name", value)
    assert "invisible character U+" in violation.description


@pytest.mark.parametrize("value", [*JOINED, "Büro", "東京"])
def test_a_readable_text_is_echoed_as_it_is(value: str) -> None:
    """Errors and logs show what people wrote, in every script."""
    assert quoted(value) == f"'{value}'"


@given(st.text(max_size=30))
def test_what_is_echoed_can_be_seen(value: str) -> None:
    """Whatever is left as it is in an echo may be stored, so it is visible by the same rule, on any
    Python; the echo of an echo is the same."""
    echoed = readable(value)
    assert not first_invisible(echoed)
    assert readable(echoed) == echoed


def test_the_rule_does_not_depend_on_the_tables_of_python() -> None:
    """Of all code points, exactly these cannot stand alone in a name: a digest of the fixed ranges."""
    refused = bytes(bool(first_invisible(chr(point))) for point in range(0x110000))
    assert refused.count(1) == 143_570
    assert hashlib.sha256(refused).hexdigest()[:16] == "65c73391f57b912a"
