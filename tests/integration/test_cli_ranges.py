"""What the commands do with notes, dates and the off switch of ranges."""

import json
from pathlib import Path
from typing import Any

import pytest

Run = Any

CREATE = ("list", "create", "l", "--name", "L", "--description", "d")


def ranges(run: Run) -> dict[str, dict[str, Any]]:
    """The attributes of the ranges of the list, as far as they are set."""
    shown = json.loads(run("list", "show", "l", "--json"))["ranges"]
    return {
        range_.pop("cidr"): {name: value for name, value in range_.items() if value}
        for range_ in shown
    }


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("# offices\n198.51.100.7 # Ada's office\n10.0.0.0/24\n", ()),
        ("ip,what\n198.51.100.7,Ada's office\n10.0.0.0/24,\n", ("--column", "ip", "--note-column", "what")),
        ("198.51.100.7;Ada's office\n10.0.0.0/24\n", ("--column", "1", "--note-column", "2")),
        ("allow 198.51.100.7; # Ada's office\nallow 10.0.0.0/24;\n", ("--format", "nginx")),
    ],
    ids=["lines", "csv", "csv by number", "nginx"],
)  # fmt: skip
def test_notes_of_a_file_are_kept(run: Run, text: str, options: tuple[str, ...]) -> None:
    """What a file says about a range becomes its note."""
    run(*CREATE, "-f", "-", *options, stdin=text)
    assert ranges(run) == {"10.0.0.0/24": {}, "198.51.100.7": {"note": "Ada's office"}}


def test_notes_come_from_a_column(run: Run) -> None:
    """The column with notes needs that with ranges; both are found by name or number."""
    text = "ip,what\n198.51.100.7,x\n"
    said = run(*CREATE, "-f", "-", "--note-column", "what", stdin=text, code=2)
    assert "give the name or the number of both" in said
    said = run(*CREATE, "-f", "-", "--column", "ip", "--note-column", "9", stdin=text, code=2)
    assert "has no column 9" in said
    run(*CREATE, "-f", "-", "--column", "ip", "--note-column", "2", stdin=text)
    assert ranges(run) == {"198.51.100.7": {"note": "x"}}


def test_a_note_that_is_too_long_rejects_its_file(run: Run) -> None:
    """The line is named, and nothing is changed."""
    said = run(*CREATE, "-f", "-", stdin=f"192.0.2.1\n192.0.2.2 # {'x' * 201}\n", code=2)
    assert "nothing was changed" in said
    assert "line 2: the note" in said
    assert "use at most 200" in said


def test_ranges_that_stay_keep_their_attributes(run: Run, tmp_path: Path) -> None:
    """An update from a file keeps what the file does not say, unless --reset-attributes."""
    run(*CREATE, "-r", "192.0.2.1", "-r", "192.0.2.2", "--note", "old", "--expires", "2999-01-01")
    run("list", "set", "l", "-r", "192.0.2.2", "--disable")
    file = tmp_path / "f"
    file.write_text("192.0.2.1/32 # new\n192.0.2.2\n192.0.2.3\n")
    run("list", "update", "l", "-f", str(file), "--starts", "2998-01-01")
    start, expiry = "2998-01-01T00:00:00Z", "2999-01-01T00:00:00Z"
    both = {"start_time": start, "expire_time": expiry}
    assert ranges(run) == {
        "192.0.2.1": {"note": "new"} | both,
        "192.0.2.2": {"note": "old", "disabled": True} | both,
        "192.0.2.3": {"start_time": start},
    }
    run("list", "update", "l", "-f", str(file), "--reset-attributes")
    assert ranges(run) == {"192.0.2.1": {"note": "new"}, "192.0.2.2": {}, "192.0.2.3": {}}


def test_what_does_not_count_is_shown_with_the_reason(run: Run) -> None:
    """`list show` says of each range whether it counts now, and why not."""
    run(*CREATE, "-r", "192.0.2.1")
    run("list", "add", "l", "-r", "192.0.2.2", "--expires", "2020-01-01", "--note", "gone")
    run("list", "add", "l", "-r", "192.0.2.3", "--starts", "2999-01-01")
    run("list", "add", "l", "-r", "192.0.2.4", "--expires", "2999-01-01")
    run("list", "add", "l", "-r", "192.0.2.5")
    off = ("list", "set", "l", "-r", "192.0.2.5", "--disable")
    assert "1 changed range\nwould change: 192.0.2.5" in run(*off, "--dry-run")
    assert "1 changed range\nchanged: 192.0.2.5" in run(*off)
    lines = [" ".join(line.split()) for line in run("list", "show", "l").splitlines()[-5:]]
    assert lines == [
        "192.0.2.1 yes",
        "192.0.2.2 no, expired 2020-01-01T00:00:00Z gone",
        "192.0.2.3 no, from 2999-01-01T00:00:00Z",
        "192.0.2.4 until 2999-01-01T00:00:00Z",
        "192.0.2.5 no, disabled",
    ]


def test_attributes_are_set_and_dropped(run: Run) -> None:
    """Each by its own flag; losing an expiry or an off switch is pointed out."""
    run(*CREATE, "-r", "192.0.2.1", "--expires", "2999-01-01", "--starts", "2020-01-01")
    set_ = ("list", "set", "l", "-r", "192.0.2.1")
    assert "say what to change" in run(*set_, code=2)
    assert "not both" in run(*set_, "--expires", "2999-01-01", "--never-expires", code=2)
    said = run(*set_, "--never-expires", "--dry-run")
    assert "would lose an expiry or an off switch: 192.0.2.1" in said
    run(*set_, "--never-expires", "--no-start", "--note", "x", "--disable")
    assert ranges(run) == {"192.0.2.1": {"note": "x", "disabled": True}}
    assert "lost an expiry or an off switch: 192.0.2.1" in run(*set_, "--enable", "--note", "")
    assert ranges(run) == {"192.0.2.1": {}}


def test_a_list_that_is_too_large_for_one_message_is_replaced(run: Run, tmp_path: Path) -> None:
    """All commands that read or write it go on working, with its notes."""
    file = tmp_path / "f"
    cidrs = [f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}" for n in range(20_000)]
    file.write_text("\n".join(f"{cidr} # {'x' * 200}" for cidr in cidrs))
    run(*CREATE, "-r", "192.0.2.1")
    update = ("list", "update", "l", "-f", str(file))
    assert "too many to change them together" in run(*update, "--name", "M", code=2)
    assert "+20000" in run(*update, "--dry-run")
    assert "+20000" in run(*update)
    assert list(ranges(run)) == cidrs
    assert "ranges 20000" in " ".join(run(*update).split())
