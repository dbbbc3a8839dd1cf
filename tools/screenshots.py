"""Takes the screenshots of the documentation (docs/images) from a console with an example in it.

With a directory as its argument: of every page there, in both themes and several widths, to look at.
"""

import sys
import tempfile
from pathlib import Path

from ipgate.v1 import admin_pb2 as admin

from tests.harness.chromium import Person, chromium
from tests.harness.console import console
from tests.harness.servers import Client, serving

ROOT = Path(__file__).parents[1]

DOCUMENTED = {
    "console-keys": ("/w/acme/keys/ci", "light"),
    "console-list": ("/w/acme/lists/office", "light"),
    "console-check": ("/w/acme/check?address=203.0.113.9", "dark"),
}

PAGES = {
    "workspaces": "/workspaces",
    "settings": "/w/acme/settings",
    "keys": "/w/acme/keys",
    "key": "/w/acme/keys/ci",
    "key-new": "/w/acme/keys/new",
    "key-edit": "/w/acme/keys/ci/edit",
    "key-rotate": "/w/acme/keys/ci/rotate",
    "key-lists": "/w/acme/keys/ci/lists",
    "lists": "/w/acme/lists",
    "lists-empty": "/w/empty/lists",
    "list-new": "/w/acme/lists/new",
    "list": "/w/acme/lists/office",
    "list-edit": "/w/acme/lists/office/edit",
    "list-link": "/w/acme/lists/office?link=1",
    "range": "/w/acme/lists/office/range?range=203.0.113.0/24",
    "default": "/w/acme/default",
    "check": "/w/acme/check?address=203.0.113.9",
    "audit": "/w/acme/audit",
    "tokens": "/w/acme/tokens",
    "token-new": "/w/acme/tokens/new",
}

SIZES = ((1280, 900), (320, 800), (3840, 2160))


def fill(client: Client) -> str:
    """Makes an example; the token of an administrator of it."""
    for name in ("acme", "empty"):
        workspace = {"display_name": f"{name.capitalize()} Inc."}
        request = admin.CreateWorkspaceRequest(workspace_id=name, workspace=workspace)
        client.call("CreateWorkspace", request)
    acme = "workspaces/acme"
    office = client.allow_list(
        acme,
        "office",
        [
            {"cidr": "198.51.100.73", "note": "Ada at home", "expire_time": "2999-12-31T00:00:00Z"},
            {"cidr": "203.0.113.0/24", "note": "Oslo"},
            {"cidr": "192.0.2.128/25", "note": "Berlin, closed", "disabled": True},
        ],
        display_name="Office",
        description="Head office and its branches",
    ).name
    plant = client.allow_list(
        acme, "plant", ["192.0.2.0/25"], display_name="Plant", description="Machines"
    ).name
    keys = {
        key: client.key(acme, key, display_name=name, **fields).api_key.name
        for key, name, fields in (
            ("ci", "CI jobs", {}),
            ("billing", "Billing export", {"expire_time": {"seconds": 1801353600}}),
            ("app", "Mobile app", {"report_only": True}),
            ("old", "Old reports", {"disabled": True}),
        )
    }
    client.link(office, keys["ci"])
    client.link(office, keys["app"])
    client.link(plant, keys["ci"])
    client.default(acme, plant)
    client.access_token("AUTHORIZER", acme)
    return str(client.access_token("WORKSPACE_ADMIN", acme).token)


def document(person: Person) -> None:
    images = ROOT / "docs" / "images"
    images.mkdir(exist_ok=True)
    for name, (path, theme) in DOCUMENTED.items():
        person.resize(1280, 760, dark=theme == "dark")
        person.open(path)
        person.driver.save_screenshot(str(images / f"{name}.png"))


def show_all(person: Person, directory: Path) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    for name, path in PAGES.items():
        person.open(path)
        for width, height in SIZES:
            for dark in (False, True):
                person.resize(width, height, dark=dark)
                file = f"{name}-{width}{'-dark' if dark else ''}.png"
                person.driver.save_screenshot(str(directory / file))


def main() -> None:
    with tempfile.TemporaryDirectory() as directory, serving(Path(directory)) as server:
        token = fill(Client(server.address))
        with console(server.address) as url, chromium(f"http://{url}") as person:
            person.log_in(token)
            if len(sys.argv) > 1:
                show_all(person, Path(sys.argv[1]))
            else:
                document(person)


if __name__ == "__main__":
    main()
