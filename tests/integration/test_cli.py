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

from tests.harness.servers import IPGATE, Client, Server

Run = Any


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
    proxied = ("--peer", "192.0.2.9", "--x-forwarded-for", "8.8.8.8")
    assert run("authorize", *proxied, "--api-key", "ci") == (
        "192.0.2.9: ALLOWED LINKED_LIST_MATCH (192.0.2.0/24 in office)\n"
    )
    assert run("authorize", "--peer", "none", "--api-key", "ci", code=1) == (
        "DENIED NO_CLIENT_ADDRESS\n"
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
    assert "off (office)" in run("default", "off", "--allow-unrestricted")
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
    output = json.loads(run("key", "create", "k", "--json"))
    assert output["api_key"]["name"] == f"{workspace}/apiKeys/k"
    assert output["credential"].startswith("ipg_")
    assert json.loads(run("key", "ls", "--json"))[0]["access"] == "ACCESS_UNRESTRICTED"
    assert json.loads(run("list", "ls", "--json")) == []
    answer = json.loads(run("authorize", "1.2.3.4", "--api-key", "k", "--json"))
    assert (answer["allowed"], answer["reason"]) == (True, "REASON_UNRESTRICTED")
    assert json.loads(run("key", "delete", "k", "--json"))["revision"]


def test_a_listing_of_many_pages_is_shown_whole(run: Run, client: Client, workspace: str) -> None:
    """More than one page of the server's largest size comes out complete."""
    for index in range(1003):
        client.key(workspace, f"k{index:04}")
    output = json.loads(run("key", "ls", "--json"))
    assert [key["name"][-5:] for key in output] == [f"k{index:04}" for index in range(1003)]


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
    shown = json.loads(run("list", "show", "l", "--json"))["ranges"]
    assert [range_["cidr"] for range_ in shown] == ["192.0.2.0/24", "198.51.100.73"]
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
    (range_,) = json.loads(run("list", "show", "l", "--json"))["ranges"]
    assert range_["cidr"] == "1.2.3.4"


def test_a_large_file_is_loaded_in_one_change(run: Run, tmp_path: Path) -> None:
    """100,000 ranges come from a file in one change."""
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
        (("authorize", "--key", "x"), "give either IP or --peer"),
        (
            ("authorize", "1.2.3.4", "--key", "x", "--forwarded", "for=1.2.3.5"),
            "--x-forwarded-for and --forwarded need --peer instead of IP",
        ),
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
    texts: dict[str, str] = {}
    for name in command.list_commands(None):
        texts |= helps(command.get_command(None, name), *path, name)
    return texts


def test_every_command_has_a_help_text_with_an_example() -> None:
    """Whoever asks for help sees how the command is used."""
    texts = helps(typer.main.get_command(app))
    assert len(texts) > 25
    for path, text in texts.items():
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


def test_options_of_the_connection_stand_anywhere(run: Run, server: Server) -> None:
    """Before the command or after it, where the last one counts; the help of a command lists them."""
    assert run("health", "--timeout", "20") == "SERVING\n"
    assert run("--server", "127.0.0.1:1", "health", "--server", server.address)
    assert "127.0.0.1:1" in run("key", "ls", "--server", "127.0.0.1:1", code=2)
    assert "--timeout 0:" in run("workspace", "ls", "--timeout", "0", code=2)
    assert "--token-file" in run("key", "ls", "--help")


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
            shown = run("--timeout", "15", "key", "create", "late", "--wait", code=2)
        finally:
            store.hdel("ipgate:workers", "behind")
    assert "ipg_" in shown
    assert "may not be in force yet" in shown
    assert "1 of 2 workers" in shown
