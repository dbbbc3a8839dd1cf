"""Import rejects a file that is not right, line by line, before it writes anything."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.harness.backups import (
    Lines,
    ipgate,
    large,
    write,
)
from tests.harness.stores import StoreServer

pytestmark = pytest.mark.store


def changed(kind: str, **fields: Any) -> Callable[[Lines], Any]:
    """An edit of the first line of a kind."""

    def edit(lines: Lines) -> None:
        next(line for line in lines if line["kind"] == kind).update(fields)

    return edit


def swapped(first: int, second: int) -> Callable[[Lines], Any]:
    def edit(lines: Lines) -> None:
        lines[first], lines[second] = lines[second], lines[first]

    return edit


def scoped(lines: Lines) -> dict[str, Any]:
    """The token that works for the workspace."""
    return next(line for line in lines if line["kind"] == "token" and line["workspace"])


EDITS: dict[str, tuple[Callable[[Lines], Any], str]] = {
    "no-header": (lambda s: s.pop(0), "line 1: is not the header"),
    "later-version": (changed("header", version=3), "line 1: version 3 is not known"),
    "former-version": (changed("header", version=0), "line 1: version 0 is not known"),
    "other-format": (changed("header", format="x"), "line 1: format: is not ipgate-export"),
    "no-shards": (changed("header", shards=[]), "line 1: shards: is not a list of 16 shards"),
    "bad-epoch": (lambda s: s[0]["shards"][3].update(epoch="x"), "line 1: shards[3].epoch"),
    "wrong-counts": (lambda s: s[0]["counts"].update(key=9), "line 1: counts do not agree"),
    "second-header": (lambda s: s.insert(2, s[0]), "line 3: is a second header"),
    "list-before-workspace": (swapped(1, 2), "line 2: workspace: is not that of"),
    "lists-out-of-order": (swapped(2, 3), "line 4: comes twice, or in the wrong order"),
    "token-first": (lambda s: s.insert(1, scoped(s)), "line 2: workspace: there is no sample"),
    "twice": (lambda s: s.insert(3, s[2]), "line 4: comes twice"),
    "same-digest": (lambda s: s[5].update(digest=s[4]["digest"]), "line 6: digest: is that of"),
    "same-previous": (lambda s: s[6].update(previous_digest=s[4]["digest"]), "line 7: previous_digest: is that of"),
    "no-end-of-previous": (lambda s: s[6].update(previous_expire=None), "line 7: previous_expire: is required"),
    "same-name": (lambda s: s[3].update(display_name="OFFICE", folded="office"), "line 4: display_name: another"),
    "no-such-list": (lambda s: s[4].update(lists=["nobody"]), "line 5: lists: there is no nobody"),
    "no-such-default": (lambda s: s[1].update(default_list="x"), "line 2: default_list: there is"),
    "default-of-none": (lambda s: s[1].update(default_list=""), "line 2: default_enabled: needs"),
    "token-of-nobody": (lambda s: s[7].update(workspace="x"), "line 8: workspace: there is no x"),
    "late-rev": (lambda s: s[2].update(rev=99), "line 3: rev: is later than"),
    "unknown-kind": (lambda s: s[2].update(kind="x"), "line 3: has no known kind"),
    "unknown-field": (lambda s: s[2].update(x=1), "line 3: x: is no field"),
    "missing-field": (lambda s: s[2].pop("etag"), "line 3: etag: is missing"),
    "no-ranges": (lambda s: s[2].update(ranges=[]), "line 3: ranges: is empty"),
    "host-bits": (lambda s: s[2].update(ranges=["10.0.0.1/8"]), "line 3: ranges[0]: '10.0.0.1/8'"),
    "long-form": (lambda s: s[2].update(ranges=["10.0.0.1/32"]), "line 3: ranges[0]: '10.0.0.1/32'"),
    "range-twice": (lambda s: s[2]["ranges"].append("192.0.2.0/24"), "line 3: ranges[2]:"),
    "range-note": (
        lambda s: s[2].update(ranges=[{"cidr": "192.0.2.0/24", "note": "\t"}]),
        "line 3: ranges[0].note: '\\t' has the invisible character",
    ),
    "range-attribute": (
        lambda s: s[2].update(ranges=[{"cidr": "192.0.2.0/24", "x": 1}]),
        "line 3: ranges[0].x: is no attribute of a range",
    ),
    "range-off": (
        lambda s: s[2].update(ranges=[{"cidr": "192.0.2.0/24", "disabled": 1}]),
        "line 3: ranges[0].disabled: is not true or false",
    ),
    "range-without": (lambda s: s[2].update(ranges=[{"note": "x"}]), "line 3: ranges[0]: 'None'"),
    "ipv6": (lambda s: s[2].update(ranges=["::1"]), "line 3: ranges: has IPv6"),
    "range-number": (lambda s: s[2].update(ranges=[7]), "line 3: ranges[0]: '7'"),
    "bad-id": (lambda s: s[2].update(id="No"), "line 3: id: 'No' is not an id"),
    "no-description": (lambda s: s[2].update(description=""), "line 3: description: is required"),
    "hidden-name": (lambda s: s[4].update(display_name="\u202e"), "line 5: display_name:"),
    "text-flag": (lambda s: s[4].update(disabled="no"), "line 5: disabled: is not true or false"),
    "flag-time": (lambda s: s[4].update(created=True), "line 5: created: is not a whole number"),
    "no-time": (lambda s: s[4].update(expire=1 << 80), "line 5: expire: is not of -62135"),
    "short-digest": (lambda s: s[4].update(digest="ab"), "line 5: digest: is not a SHA-256"),
    "bad-etag": (lambda s: s[4].update(etag="ab"), "line 5: etag: is not 16"),
    "links-twice": (lambda s: s[4].update(lists=["office"] * 2), "line 5: lists: has ids twice"),
    "root": (lambda s: s[7].update(role="ROOT"), "line 8: role: is not one of"),
    "admin-of-all": (lambda s: s[7].update(role="WORKSPACE_ADMIN", workspace=""), "line 8: workspace"),
}  # fmt: skip


@pytest.mark.parametrize("name", EDITS)
def test_a_file_that_is_not_right_is_refused_line_by_line(
    tmp_path: Path, lines: Lines, empty: StoreServer, name: str
) -> None:
    """The report names the line and what is wrong with it, and nothing is written."""
    edit, message = EDITS[name]
    edited = json.loads(json.dumps(lines))
    edit(edited)
    write(tmp_path / "x", edited)
    said = ipgate("import", tmp_path / "x", "--redis-url", empty.url, code=2)
    assert message in said
    assert "nothing was written" in said
    with empty.client() as plain:
        assert plain.dbsize() == 0


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda text: text[: len(text) // 2], "the trailer is missing: the file is incomplete"),
        (lambda text: text.rpartition('{"kind": "trailer"')[0], "line 10: the trailer is missing"),
        (lambda text: text.replace("192.0.2.0/24", "192.0.3.0/24"), "the file was changed"),
        (lambda text: text.replace("\n", "\n\n", 1), "line 2: is not JSON"),
        (lambda text: text + text, "line 11: comes after the trailer"),
        (lambda text: "[]\n" + text, "line 1: is not a JSON object"),
        (lambda _: "", "line 1: the trailer is missing"),
        (lambda _: "\xff\xfe", "line 1: is not JSON"),
    ],
)
def test_a_damaged_file_is_refused(
    tmp_path: Path, lines: Lines, empty: StoreServer, damage: Callable[[str], str], message: str
) -> None:
    """Truncated, edited, doubled, or of another kind: nothing is written."""
    write(tmp_path / "x", lines)
    (tmp_path / "x").write_bytes(damage((tmp_path / "x").read_text()).encode("latin-1"))
    said = ipgate("import", tmp_path / "x", "--redis-url", empty.url, code=2)
    assert message in said
    with empty.client() as plain:
        assert plain.dbsize() == 0


def test_what_is_no_file_is_not_read(tmp_path: Path) -> None:
    """A device has no end, and a pipe cannot be read twice."""
    said = ipgate("import", "/dev/zero", "--data-dir", tmp_path / "new", code=2)
    assert "is not a regular file" in said


def test_at_most_100_faults_are_reported(tmp_path: Path, empty: StoreServer) -> None:
    """A file that is wrong everywhere does not flood the terminal."""
    export = large(500, 5)
    for record in export[3:]:
        record["digest"] = "x"
    write(tmp_path / "x", export)
    said = ipgate("import", tmp_path / "x", "--redis-url", empty.url, code=2)
    assert said.count("  line ") == 100
