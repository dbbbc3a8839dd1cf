"""The command line through its real entry point."""

import json
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import redis
import typer
from ipgate.cli.main import app
from ipgate.settings import declared, flag
from ipgate.store.upkeep.validation import validate

from tests.harness.servers import IPGATE, ROOT_TOKEN, Client, Server

Run = Any


@pytest.fixture
def run(server: Server, workspace: str) -> Run:
    """Runs `ipgate` as root, in the test's workspace; checks the exit code."""

    def call(*arguments: str, code: int = 0, stdin: str = "", **variables: str) -> str:
        environment = os.environ | {
            "IPGATE_SERVER": server.address,
            "IPGATE_TOKEN": ROOT_TOKEN,
            "IPGATE_WORKSPACE": workspace.rpartition("/")[2],
        }
        done = subprocess.run(
            [IPGATE, *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            env=environment | variables,
            check=False,
        )
        output = done.stdout + done.stderr
        assert done.returncode == code, output
        assert "Traceback" not in output
        assert ".cc:" not in output, "gRPC's core adds lines of its own"
        return output

    return call


def test_the_whole_job_in_one_line_each(run: Run, workspace: str) -> None:
    """Every admin task has a command, and what it shows is what was done."""
    assert "office" in run("list", "create", "office", "--name", "Office", "--description", "Egress",
                           "-r", "198.51.100.73", "-r", "192.0.2.0/24")  # fmt: skip
    credential = next(
        line
        for line in run("key", "create", "ci", "--name", "CI").splitlines()
        if line.startswith("ipg_")
    )
    assert run("authorize", "8.8.8.8", "--key", credential) == "ALLOWED UNRESTRICTED\n"
    assert "linked ci to office" in run("list", "link", "office", "ci")
    assert run("authorize", "8.8.8.8", "--key", "-", stdin=f"{credential}\n", code=1) == (
        "DENIED NOT_IN_LINKED_LISTS\n"
    )
    assert run("authorize", "192.0.2.9", "--api-key", "ci") == (
        "ALLOWED LINKED_LIST_MATCH (192.0.2.0/24 in office)\n"
    )
    assert "ci" in run("list", "keys", "office")
    run("list", "add", "office", "-r", "203.0.113.9")
    run("list", "remove", "office", "-r", "192.0.2.0/24")
    assert "203.0.113.9" in run("list", "show", "office")
    run("list", "update", "office", "--name", "Head office")
    assert "Head office" in run("list", "ls")
    run("list", "unlink", "office", "ci", "--allow-unrestricted")
    run("default", "set", "office")
    assert f"default of {workspace}: office" in run("default", "show")
    assert "default" in run("key", "ls")
    assert "off (office)" in run("default", "off")
    run("key", "update", "ci", "--disable", "--expires", "2999-01-01T00:00:00Z")
    assert "2999-01-01T00:00:00Z" in run("key", "show", "ci")
    assert run("authorize", "8.8.8.8", "--api-key", "ci", code=1) == "DENIED KEY_DISABLED\n"
    run("key", "update", "ci", "--enable", "--never-expires")
    run("workspace", "update", workspace.rpartition("/")[2], "--require-allow-list")
    assert run("authorize", "8.8.8.8", "--api-key", "ci", code=1) == "DENIED NO_ALLOW_LIST\n"
    assert "ipgt_" in run("token", "create", "authorizer", "--id", f"t-{workspace[-8:]}")
    assert "authorizer" in run("token", "ls")
    run("token", "revoke", f"t-{workspace[-8:]}")
    run("key", "delete", "ci")
    run("list", "delete", "office")
    run("workspace", "delete", workspace.rpartition("/")[2])


def test_json_is_for_programs(run: Run, workspace: str) -> None:
    """Every answer is one JSON value with the fields of the contract."""
    made = json.loads(run("key", "create", "k", "--json"))
    assert made["api_key"]["name"] == f"{workspace}/apiKeys/k"
    assert made["credential"].startswith("ipg_")
    assert json.loads(run("key", "ls", "--json"))[0]["access"] == "ACCESS_UNRESTRICTED"
    assert json.loads(run("list", "ls", "--json")) == []
    answer = json.loads(run("authorize", "1.2.3.4", "--api-key", "k", "--json"))
    assert (answer["allowed"], answer["reason"]) == (True, "REASON_UNRESTRICTED")
    assert json.loads(run("key", "delete", "k", "--json"))["revision"]


def test_a_listing_of_many_pages_is_shown_whole(run: Run, client: Client, workspace: str) -> None:
    """More than one page of the server's largest size comes out complete."""
    for index in range(1003):
        client.key(workspace, f"k{index:04}")
    found = json.loads(run("key", "ls", "--json"))
    assert [each["name"][-5:] for each in found] == [f"k{index:04}" for index in range(1003)]


@pytest.mark.parametrize(
    ("name", "text", "options"),
    [
        ("lines", "# offices\n198.51.100.73\n\n192.0.2.0/24  # data centre\n", ()),
        ("bom", "\ufeff198.51.100.73\r\n192.0.2.0/24\r\n", ()),
        (
            "csv",
            'site,range\n"Köln, DE",198.51.100.73\nParis,192.0.2.0/24\n',
            ("--column", "range"),
        ),
    ],
)
def test_ranges_come_from_a_file_or_standard_input(
    run: Run, tmp_path: Path, name: str, text: str, options: Sequence[str]
) -> None:
    """One a line with comments, or a column of a CSV file."""
    file = tmp_path / name
    file.write_text(text, encoding="utf-8")
    create = ["list", "create", "l", "--name", "L", "--description", "d", *options, "--file"]
    run(*create, str(file))
    assert "198.51.100.73\n  192.0.2.0/24" not in run("list", "show", "l")
    assert json.loads(run("list", "show", "l", "--json"))["ranges"] == [
        "192.0.2.0/24",
        "198.51.100.73",
    ]
    run("list", "update", "l", "--file", "-", *options, stdin=text)
    assert json.loads(run("list", "show", "l", "--json"))["range_count"] == 2


def test_every_bad_line_is_reported_and_nothing_is_applied(run: Run) -> None:
    """The report gives the line's number, the value and the remedy."""
    run("list", "create", "l", "--name", "L", "--description", "d", "-r", "1.2.3.4")
    lines = ["8.8.8.8", "# fine", "198.51.100.9/24", "", "nonsense", "9.9.9.9"]
    said = run("list", "add", "l", "--file", "-", stdin="\n".join(lines), code=2)
    assert "standard input has 2 bad lines; nothing was changed" in said
    assert "line 3: '198.51.100.9/24' has host bits set; use '198.51.100.9' for this" in said
    assert "line 5: 'nonsense'" in said
    assert json.loads(run("list", "show", "l", "--json"))["ranges"] == ["1.2.3.4"]


def test_a_large_file_is_loaded_in_one_change(run: Run, tmp_path: Path) -> None:
    """100,000 ranges come from a file at once."""
    file = tmp_path / "many"
    file.write_text(
        "\n".join(f"10.{a}.{b}.{c}" for a in range(4) for b in range(250) for c in range(100))
    )
    said = run("list", "create", "l", "--name", "L", "--description", "d", "--file", str(file))
    assert "100000" in said


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("list", "show", "missing"), "NOT_FOUND: not found"),
        (
            ("list", "create", "l", "--name", "L", "--description", "d", "-r", "x"),
            "INVALID_ARGUMENT",
        ),
        (
            ("list", "create", "l", "--name", "L", "--description", "d", "--file", "/nowhere"),
            "No such file",
        ),
        (("list", "add", "l"), "give ranges"),
        (("list", "add", "l", "--file", "-", "--column", "c"), "is empty; it has no column"),
        (("key", "create", "k", "--expires", "tomorrow"), "not a day or an instant"),
        (("key", "create", "k", "--expires", "2027-01-01T00:00:00"), "no offset"),
        (("authorize", "1.2.3.4"), "give either --key or --api-key"),
        (("authorize", "nonsense", "--key", "x"), "INVALID_ARGUMENT: ip"),
        (("key", "create"), "Missing argument"),
        (("nonsense",), "No such command"),
        (("--server", "127.0.0.1:1", "workspace", "ls"), "no ipgate answers at 127.0.0.1:1"),
        (("--server", "", "workspace", "ls"), "--server"),
        (("--token-file", "/nowhere", "workspace", "ls"), "set IPGATE_TOKEN"),
        (("--token-file", IPGATE.with_name("python"), "workspace", "ls"), "it is not text"),
        (("--token-file", "/dev/null", "workspace", "ls"), "holds no access token"),
        (("authorize", "1.2.3.4", "--key", "-"), "standard input holds no credential"),
        (("authorize", "1.2.3.\udcff", "--key", "x"), "is not UTF-8"),
        (("authorize", "1.2.3.4", "--key", "\udcff"), "is not UTF-8"),
        (("--timeout", "nan", "workspace", "ls"), "--timeout nan: give seconds"),
        (("--tls-cert", __file__, "workspace", "ls"), "--tls-cert and --tls-key go together"),
        (
            ("--tls-cert", __file__, "--tls-key", __file__, "workspace", "ls"),
            "--tls-cert needs --tls-ca",
        ),
        (("--tls-ca", __file__, "workspace", "ls"), "give PEM files"),
    ],
)
def test_an_error_is_one_readable_message_and_exit_code_2(
    run: Run, arguments: tuple[str, ...], message: str
) -> None:
    """No traceback, and it says what to do."""
    variables = {"IPGATE_TOKEN": ""} if "--token-file" in arguments else {}
    assert message in run(*arguments, code=2, **variables)


def test_a_dry_run_changes_nothing(run: Run) -> None:
    """`--dry-run` checks and makes nothing."""
    run("key", "create", "k", "--dry-run")
    run("key", "show", "k", code=2)
    run("key", "create", "k")
    assert "would have deleted" in run("key", "delete", "k", "--dry-run")
    run("key", "show", "k")


def helps(command: Any, *path: str) -> dict[str, str]:
    """The help texts of all commands there are."""
    if not hasattr(command, "commands"):
        return {" ".join(path): command.help}
    found: dict[str, str] = {}
    for name, each in command.commands.items():
        found |= helps(each, *path, name)
    return found


def test_every_command_has_a_help_text_with_an_example() -> None:
    """Whoever asks for help sees how the command is used."""
    found = helps(typer.main.get_command(app))
    assert len(found) > 25
    for path, text in found.items():
        assert f"Example: ipgate {path}" in " ".join(text.split())
    shown = subprocess.run(
        [IPGATE, "list", "add", "-h"], capture_output=True, text=True, check=True
    )
    assert "Example: ipgate list add office" in shown.stdout


def test_the_help_of_serve_has_every_setting_to_the_letter() -> None:
    """Brackets too, which could be taken for a style."""
    wide = os.environ | {"COLUMNS": "1000"}
    shown = subprocess.run(
        [IPGATE, "serve", "--help"], capture_output=True, text=True, check=True, env=wide
    )
    for name, _, text in declared():
        assert flag(name) in shown.stdout
        assert text in shown.stdout


def test_health_is_asked_without_a_token(run: Run) -> None:
    """For the server and for a service, as a container's health check does."""
    assert run("health", IPGATE_TOKEN="") == "SERVING\n"
    assert run("health", "ipgate.v1.AdminService") == "SERVING\n"
    assert "NOT_FOUND" in run("health", "nonsense", code=2)


def test_completion_is_offered() -> None:
    """A completion script can be shown for a shell."""
    environment = os.environ | {"_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"}
    shown = subprocess.run(
        [IPGATE, "--show-completion", "bash"],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )
    assert "_IPGATE_COMPLETE" in shown.stdout


def test_wait_tells_when_a_change_is_in_force_everywhere(run: Run) -> None:
    """Every change takes --wait; what it says goes to standard error, so that JSON stays JSON."""
    assert "in force at every worker (1)" in run(
        "list", "create", "l", "--name", "l", "--description", "d", "-r", "192.0.2.1", "--wait"
    )
    assert "in force at every worker (1)" in run("key", "create", "k", "--wait", "--json")
    changes = [
        ("key", "update", "k", "--disable"),
        ("list", "link", "l", "k"),
        ("list", "add", "l", "-r", "192.0.2.2"),
        ("list", "remove", "l", "-r", "192.0.2.2"),
        ("default", "set", "l"),
        ("default", "off"),
        ("key", "set-lists", "k", "--none", "--allow-unrestricted"),
        ("list", "delete", "l"),
        ("key", "delete", "k"),
    ]
    for change in changes:
        assert "in force at every worker (1)" in run(*change, "--wait"), change


def test_a_new_credential_is_shown_even_if_the_wait_fails(run: Run, shared_url: str) -> None:
    """What is shown only once must not be lost to a worker that is behind."""
    behind = " ".join(["0" * 16 + ".0." + "0" * 16] * 16)
    with redis.from_url(shared_url) as store:
        store.hset("ipgate:workers", "behind", f"9999999999 {behind}")
        try:
            shown = run("--timeout", "1", "key", "create", "late", "--wait", code=2)
        finally:
            store.hdel("ipgate:workers", "behind")
    assert "ipg_" in shown
    assert "may not be in force yet" in shown
    assert "1 of 2 workers" in shown


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
    off = run("default", "off")
    assert "every API key without an allow list became usable from every address" in off
    identifier = workspace.rpartition("/")[2]
    run("workspace", "update", identifier, "--require-allow-list")
    opened = run("workspace", "update", identifier, "--no-require-allow-list", "--dry-run")
    assert "every API key without an allow list would become usable from every address" in opened
    run("list", "create", "m", "--name", "M", "--description", "d", "-r", "192.0.2.1")
    assert "m" in run("key", "set-lists", "k", "m")
    assert "give --none" in run("key", "set-lists", "k", code=2)


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
        ("192.0.2.1\n2001:db8::/32\n", (), "--skip-ipv6"),
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
        assert not validate(file).faults
