"""Names, ids and texts that people write."""

import pytest
from ipgate.domain.errors import InvalidArgument, shown
from ipgate.domain.names import (
    ALLOW_LISTS,
    API_KEYS,
    Child,
    id_faults,
    parse_child,
    parse_workspace,
)
from ipgate.domain.texts import check_description, check_display_name, folded


@pytest.mark.parametrize("value", ["a", "a1", "a-b-", "z" * 63])
def test_an_id_of_the_right_form_is_accepted(value: str) -> None:
    """1 to 63 of a-z, 0-9 and dashes, beginning with a letter."""
    assert not id_faults("id", value)


@pytest.mark.parametrize(
    "value", ["", "1a", "-a", "A", "a_b", "a.b", "a/b", "a b", "a\n", "é", "z" * 64, "a" * 10_000]
)
def test_an_id_of_another_form_is_refused(value: str) -> None:
    """The message names the value and the form."""
    (fault,) = id_faults("id", value)
    assert "is not an id; use 1 to 63" in fault.description
    assert len(fault.description) < 200


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
    assert [fault.field for fault in faults] == ["display_name"]
    assert faults[0].description.isprintable()


@pytest.mark.parametrize("value", ["Büro Köln", "東京", "a [b] <c> & 'd'", "😀", "x" * 200])
def test_a_display_name_of_any_script_is_accepted(value: str) -> None:
    """Letters, marks, punctuation and emoji of all scripts are fine."""
    assert not check_display_name("display_name", value)


def test_a_description_may_have_lines() -> None:
    """Only a description may hold a line break, and at most 2,000 characters."""
    assert not check_description("description", "one\ntwo")
    assert check_description("description", "one\r\ntwo")
    assert check_description("description", "x" * 2001)


@pytest.mark.parametrize(
    ("one", "other"), [("Office", "oFFICE"), ("Straße", "STRASSE"), ("ﬁn", "FIN"), ("é", "e\u0301")]
)
def test_display_names_that_look_alike_are_the_same(one: str, other: str) -> None:
    """Case and composition do not make a difference."""
    assert folded(one) == folded(other)


def test_a_shown_value_is_one_short_line() -> None:
    """Whatever a caller sends, an error or a log shows it on one line, cut."""
    assert shown("a\r\nb\x1b").isprintable()
    assert len(shown("é" * 10_000)) < 600
