"""A real server for tests. It needs the server's distribution: `pip install 'ipgate[embedded]'`."""

import os
import secrets
import subprocess
import sys
from pathlib import Path
from typing import Any, Self

from ipgate.v1 import admin_pb2 as admin
from ipgate.v1 import resources_pb2 as resources

from ipgate_client.admin import AdminClient
from ipgate_client.errors import CallFailed

_STOP_TIMEOUT = 30


class IpgateServer:
    """Runs on a free port of loopback, with its data below `directory`. Use it as a context manager.

    `address` and `token` are for clients, `token_file` holds the token. `admin` calls AdminService.
    Raises RuntimeError if it does not start.
    """

    def __init__(self, directory: Path) -> None:
        self.token = secrets.token_urlsafe(32)
        self.token_file = directory / "token"
        self.token_file.write_text(self.token)
        command = (sys.executable, "-m", "ipgate", "serve", "--listen", "127.0.0.1:0")
        options = ("--data-dir", str(directory / "data"), "--workers", "1")
        self._log = directory / "log"
        with self._log.open("w") as log:
            self._process = subprocess.Popen(  # noqa: S603  the command is ours
                (*command, *options),
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env=os.environ | {"IPGATE_ROOT_TOKEN": self.token},
            )
        assert self._process.stdout is not None
        words = self._process.stdout.readline().split()
        if "listens" not in words:
            self.close()
            raise RuntimeError(f"ipgate does not start: {self._log.read_text()}")
        self.address = words[words.index("on") + 1]
        self.admin = AdminClient(self.address, self.token)
        try:
            self.workspace = self._workspace()
        except CallFailed:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.admin.close()
        self.close()

    def close(self) -> None:
        """Stop the server."""
        self._process.terminate()
        self._process.wait(_STOP_TIMEOUT)
        if self._process.stdout is not None:
            self._process.stdout.close()

    def create_key(self, *ranges: str, **fields: Any) -> str:
        """Return the credential of a new API key that may be used from CIDR ranges, or everywhere without any.

        `fields`: of the API key, such as `report_only`. Raises CallFailed.
        """
        created = self.admin.call(
            "CreateApiKey",
            admin.CreateApiKeyRequest(parent=self.workspace, api_key=resources.ApiKey(**fields)),
        )
        if ranges:
            name = secrets.token_hex(4)
            allow_list = resources.AllowList(
                display_name=name,
                description="for a test",
                ranges=[resources.Range(cidr=text) for text in ranges],
            )
            listed = self.admin.call(
                "CreateAllowList",
                admin.CreateAllowListRequest(parent=self.workspace, allow_list=allow_list),
            )
            link = admin.LinkApiKeysRequest(
                allow_list=listed.allow_list.name, api_keys=[created.api_key.name]
            )
            self.admin.call("LinkApiKeys", link)
        return str(created.credential)

    def _workspace(self) -> str:
        request = admin.CreateWorkspaceRequest(workspace_id="test")
        return str(self.admin.call("CreateWorkspace", request).workspace.name)
