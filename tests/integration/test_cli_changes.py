"""What the commands say of changes, files of ranges and expiries."""

import json
from pathlib import Path
from typing import Any

import pytest
from ipgate.backup.validation import validate

from tests.harness.servers import Client

Run = Any


def test_a_dry_run_shows_what_would_change(run: Run, client: Client, workspace: str) -> None:
    """It begins with "dry run, nothing changed", counts the ranges, and names the keys affected."""
    run("list", "create", "l", "--name", "L", "--description", "d", "-r", "192.0.2.1")
    for key in ("k1", "k2"):
        run("key", "create", key)
    run("list", "link", "l", "k1", "k2")
    before = run("list", "show", "l")
    create = ("list", "create", "m", "--name", "M", "--description", "d", "-r", "192.0.2.1")
    assert run(*create, "--dry-run") == "dry run, nothing changed: +1 range\n"
    assert run("list", "add", "l", "-r", "10.0.0.1", "-r", "10.0.0.2", "--dry-run") == (
        "dry run, nothing changed: +2 ranges\napplies to 2 API keys: k1, k2\n"
    )
    update = ("list", "update", "l", "-r", "10.0.0.1", "-r", "10.0.0.2", "-r", "10.0.0.3")
    assert "dry run, nothing changed: +3 −1 ranges" in run(*update, "--dry-run")
    assert "+3 −1 ranges\napplies to 2 API keys: k1, k2" in run(*update)
    assert before != run("list", "show", "l")
    assert "nothing changed: would have updated k1" in run(
        "key", "update", "k1", "--disable", "--dry-run"
    )
    assert "enabled" in run("key", "show", "k1")


def test_what_opens_keys_is_said_and_needs_consent(run: Run, workspace: str) -> None:
    """Unlinking a last list fails with the keys' names; with --allow-unrestricted it says what it did."""
    run("list", "create", "l", "--name", "L", "--description", "d", "-r", "192.0.2.1")
    run("key", "create", "k")
    run("list", "link", "l", "k")
    for command in (
        ("list", "unlink", "l", "k"),
        ("list", "delete", "l", "--force"),
        ("key", "set-lists", "k", "--none"),
    ):
        assert "API_KEYS_UNRESTRICTED" not in run(*command, "--dry-run", code=2)
        assert "API key k would become usable from every address" in run(*command, code=2)
        foreseen = run(*command, "--allow-unrestricted", "--dry-run")
        assert "1 API key would become usable from every address: k" in foreseen
    run("default", "set", "l")
    assert "1 API key lost the last allow list: k" in run("list", "unlink", "l", "k")
    assert "give --allow-unrestricted" in run("default", "off", code=2)
    off = run("default", "off", "--allow-unrestricted")
    assert "every API key without an allow list became usable from every address" in off
    identifier = workspace.rpartition("/")[2]
    run("workspace", "update", identifier, "--require-allow-list")
    open_ = ("workspace", "update", identifier, "--no-require-allow-list", "--dry-run")
    assert "give --allow-unrestricted" in run(*open_, code=2)
    opened = run(*open_, "--allow-unrestricted")
    assert "every API key without an allow list would become usable from every address" in opened
    run("list", "create", "m", "--name", "M", "--description", "d", "-r", "192.0.2.1")
    assert "m" in run("key", "set-lists", "k", "m")
    assert "give --none" in run("key", "set-lists", "k", code=2)


def test_a_denial_that_is_only_reported_is_shown(run: Run) -> None:
    """As allowed, with the rule that would deny; with --strict by an exit code of its own."""
    run("list", "create", "l", "--name", "L", "--description", "d", "-r", "10.0.0.1")
    run("key", "create", "k")
    run("list", "link", "l", "k")
    ask = ("authorize", "192.0.2.1", "--api-key", "k")
    assert "DENIED NOT_IN_LINKED_LISTS" in run(*ask, code=1)
    report = ("key", "update", "k", "--report-only")
    assert "give --allow-unrestricted" in run(*report, code=2)
    assert "1 API key became usable from every address: k" in run(*report, "--allow-unrestricted")
    assert run(*ask) == "ALLOWED, would be denied: NOT_IN_LINKED_LISTS\n"
    run(*ask, "--strict", code=3)
    run("authorize", "10.0.0.1", "--api-key", "k", "--strict")
    assert "lists (report only)" in run("key", "ls")
    assert "report only" in run("key", "show", "k")
    run("key", "update", "k", "--enforce")
    run(*ask, code=1)
    run("list", "unlink", "l", "k", "--allow-unrestricted")
    assert "l (report only)" in run("default", "set", "l", "--report-only")
    assert run(*ask) == "ALLOWED, would be denied: NOT_IN_DEFAULT_LIST\n"
    assert "l (report only)" in run("default", "show")
    run("default", "set", "l")
    run(*ask, code=1)


def test_who_calls_and_how_far_a_change_has_spread(run: Run, workspace: str) -> None:
    """`whoami` shows the token in use, and `status` counts the workers that have applied a revision."""
    assert "root" in run("whoami")
    identifier = workspace.rpartition("/")[2]
    token = json.loads(run("token", "create", "viewer", "-w", identifier, "--json"))
    shown = run("whoami", IPGATE_TOKEN=token["token"])
    assert token["access_token"]["name"].rpartition("/")[2] in shown
    assert "viewer" in shown
    assert identifier in shown
    revision = json.loads(run("key", "create", "k", "--json"))["revision"]
    run("key", "update", "k", "--disable", "--wait")
    assert "in force on 1 of 1 workers" in run("status", revision)
    assert "revision" in run("status", "nonsense", code=2)


def test_a_file_that_is_read_wrongly_changes_nothing(
    run: Run, workspace: str, tmp_path: Path
) -> None:
    """Whatever is malformed about a file rejects it with its place; the list stays as it is."""
    run("list", "create", "l", "--name", "L", "--description", "d", "-r", "10.0.0.1")
    before = run("list", "show", "l")
    file = tmp_path / "f.csv"
    update = ("list", "update", "l", "-f", str(file))
    for text, options, said in (
        ('ip,note\n192.0.2.1,HQ\n192.0.2.2,"rack 19\n192.0.2.3,lab\n', ("--column", "ip"), "line 3 opens a quote"),
        ("ip,ip\n192.0.2.1,192.0.2.2\n", ("--column", "ip"), "occurs twice"),
        ("192.0.2.0/24,HQ\n", (), "give its number, as in --column 1"),
        ("192.0.2.0/24,HQ\n", ("--column", "192.0.2.0/24"), "as in --column 1"),
        ('{"prefixes": []}', (), "--format aws"),
        ("192.0.2.1\n" + "x\n" * 300, (), "300 bad lines"),
        ("192.0.2.1\n", ("--format", "xml"), "use auto, aws, github, nginx"),
        ("deny 192.0.2.1;\nallow 192.0.2.0/24;\n", ("--format", "nginx"), "an allow list cannot say"),
        ("\n# nothing\n", (), "there is no range in it"),
    ):  # fmt: skip
        file.write_text(text)
        said_in = run(*update, *options, code=2)
        assert said in said_in
        assert "nothing was changed" in said_in or "--format" in said_in
        assert run("list", "show", "l") == before
    file.write_text("192.0.2.1\n2001:db8::/32\n")
    assert "or leave it out (of a file with --skip-ipv6)" in run(*update, code=2)
    assert run("list", "show", "l") == before
    assert "has more than" in run("list", "update", "l", "-f", "/dev/zero", code=2)
    assert "needs --file" in run("list", "update", "l", "-r", "10.0.0.1", "--skip-ipv6", code=2)


def test_how_a_file_was_read_is_reported(run: Run, tmp_path: Path) -> None:
    """Separator, column and what was left out go to standard error; the list has every row."""
    file = tmp_path / "f.csv"
    file.write_bytes(
        "sep=;\r\nOrt; IP \r\nKöln;192.0.2.1\r\n;\r\nBonn;2001:db8::1\r\n".encode("utf-16")
    )
    created = run("list", "create", "l", "--name", "L", "--description", "d", "-f", str(file),
                  "--column", "ip", "--skip-ipv6")  # fmt: skip
    assert "1 range (UTF-16" in created
    assert "columns separated by ';', column 'IP'; left out 1 IPv6" in created
    file.write_text("192.0.2.0/24,US,US-AL,Alabaster,\n192.0.2.7,DE,,,\n")
    assert "+2 ranges" in run("list", "add", "l", "-f", str(file), "--column", "1")
    file.write_text("allow 198.51.100.1;\ndeny all;\n")
    assert "+1 range" in run("list", "add", "l", "-f", str(file), "--format", "nginx")


@pytest.mark.parametrize(
    ("text", "stored", "said"),
    [
        ("2999-01-31", "2999-01-31T00:00:00Z", "that day itself does not count"),
        (" 2999-01-31 ", "2999-01-31T00:00:00Z", "that day itself does not count"),
        ("2999-01-31T12:00+02:00", "2999-01-31T10:00:00Z", ""),
        ("2001-01-31", "2001-01-31T00:00:00Z", "has passed: it is expired already"),
        ("2001-01-31T12:00:00Z", "2001-01-31T12:00:00Z", "has passed: it is expired already"),
    ],
)
def test_an_expiry_is_a_day_or_an_instant(run: Run, text: str, stored: str, said: str) -> None:
    """A day means its beginning in UTC; what that means, and an expiry in the past, is said."""
    output = run("key", "create", "k", "--expires", text)
    assert stored in output
    assert said in output


@pytest.mark.parametrize("text", ["2999-01-31T12:00", "2999-01-31 12:00:00.5", "2999-01-31T12"])
def test_the_remedy_for_a_missing_offset_works_to_the_letter(run: Run, text: str) -> None:
    """What the error says to write is accepted."""
    said = run("key", "create", "k", "--expires", text, code=2)
    remedy = said.partition("write ")[2].partition(" for UTC")[0]
    assert "2999-01-31T12:" in run("key", "create", "k", "--expires", remedy)


@pytest.mark.parametrize(
    "text", ["tomorrow", "2999-02-30", "0001-01-01T00:00+14:00", "99999-01-01"]
)
def test_what_is_no_expiry_is_an_error(run: Run, text: str) -> None:
    """Exit code 2, and no key is made."""
    assert "--expires" in run("key", "create", "k", "--expires", text, code=2)
    assert json.loads(run("key", "ls", "--json")) == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("list", "add", "l", "-f", "a", "-f", "b"), "--file is given 2 times"),
        (("list", "add", "l", "-r", "10.0.0.1", "-f", ""), "--file is empty"),
        (("list", "add", "l", "-f", "-", "--column", ""), "--column is empty"),
        (
            ("list", "add", "l", "-f", "-", "--column", "1", "--format", "nginx"),
            "leave --column out",
        ),
        (("key", "create", "k", "--expires", ""), "--expires ''"),
        (("token", "create", "authorizer", "--expires", ""), "--expires ''"),
        (("key", "create", "k", "--expires", "20270131"), "write 2027-01-31 for UTC"),
    ],
)
def test_what_is_empty_or_too_much_is_not_passed_over(
    run: Run, arguments: tuple[str, ...], said: str
) -> None:
    """An unset variable of a script, or a second file, must not change what is meant."""
    assert said in run(*arguments, code=2, stdin="10.0.0.1\n")


def test_remedies_name_the_flags_of_the_commands(run: Run) -> None:
    """Not the fields of the API."""
    create = ("list", "create", "l", "--name", "L", "--description", "d")
    assert "give --allow-broad" in run(*create, "-r", "10.0.0.0/7", code=2)
    run(*create, "-r", "10.0.0.1")
    run("default", "set", "l")
    said = run("list", "delete", "l", code=2)
    assert "switch the default off, or set another first, or use --force" in said
    run("key", "create", "k")
    assert "give --allow-unrestricted" in run("list", "delete", "l", "--force", code=2)
    hint = run("list", "add", "l", "-f", "-", "--column", "1", stdin="ip,x\n10.0.0.1,y\n", code=2)
    assert "name the column, as in --column ip" in hint
    assert "give --format nginx" in run(
        "list", "add", "l", "-f", "-", stdin="allow 10.0.0.1;\n", code=2
    )


def test_every_expiry_that_is_taken_can_be_exported(
    run: Run, tmp_path: Path, server_directory: Path, store_url: str
) -> None:
    """What is stored can always be restored: expiries from year 1 to 9999."""
    run("key", "create", "first", "--expires", "0001-01-01")
    run("key", "create", "last", "--expires", "9999-12-31T23:59:59Z")
    where = ("--redis-url", store_url) if store_url else ("--data-dir", str(server_directory))
    run("export", str(tmp_path / "x"), *where)
    lines = [json.loads(line) for line in (tmp_path / "x").read_text().splitlines()]
    expiries = {line["id"]: line["expire"] for line in lines if line["kind"] == "key"}
    assert expiries["first"] < 0
    assert expiries["last"] > 1 << 63
    with (tmp_path / "x").open("rb") as file:
        assert not validate(file).violations
