"""Writers that change policies, and readers that ask; each records what it sees."""

import hashlib
import random
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ipgate.v1 import admin_pb2 as admin
from ipgate.v1 import authorize_pb2 as authorize
from ipgate.v1 import resources_pb2 as resources

from tests.faults.history import Answer, Change, History, TokenUse, Workspace, now, revision
from tests.faults.model import ALWAYS, OFF, Key, Policy, Span
from tests.harness.servers import Client, RpcFailed

LISTS = ["a", "b", "c"]
KEYS = ["k", "m"]
RANGES = ["10.0.0.0/24", "10.0.0.0/25", "10.0.0.7", "10.0.0.0/16", "10.0.2.9",
          "2001:db8::/48", "2001:db8::/64", "2001:db8::7"]  # fmt: skip
IPS = [
    "10.0.0.7",
    "10.0.0.200",
    "10.0.1.1",
    "10.0.2.9",
    "192.0.2.1",
    "2001:db8::7",
    "2001:db8:0:1::",
]
WITHOUT_EFFECT = {"STORE_UNAVAILABLE", "STALE", "NO_STORE"}
"""Reasons of errors that promise that nothing was changed."""

_TIMEOUT = 3.0
_READ_TIMEOUT = 0.7
_LIFE = 40
"""Changes after which a writer goes on in a new workspace, so that there are always new ones."""


class Writer:
    """Makes random changes, one after the other, in one workspace at a time."""

    def __init__(self, history: History, clients: list[Client], seed: int) -> None:
        self._history = history
        self._clients = clients
        self._random = random.Random(seed)

    def run(self, stop: threading.Event) -> None:
        workspace = self._begin()
        while not stop.is_set():
            if workspace is None or workspace.given_up or len(workspace.changes) > _LIFE:
                workspace = self._begin()
            else:
                self._change(workspace)
            # A fault must not turn into a busy loop of refusals.
            stop.wait(0.005 if workspace else 0.1)

    def _begin(self) -> Workspace | None:
        name = f"w{secrets.token_hex(6)}"
        workspace = Workspace(f"workspaces/{name}", given_up=True)
        request = admin.CreateWorkspaceRequest(workspace_id=name, workspace={"ipv6_enabled": True})
        if not self._attempt(workspace, "CreateWorkspace", request, Policy()):
            return None
        workspace.given_up = False
        self._history.workspaces.append(workspace)
        return workspace

    def _change(self, workspace: Workspace) -> None:
        policy = workspace.policy
        options: list[Callable[[Workspace, Policy], None]] = [
            self._key, self._list, self._link, self._default, self._require, self._toggle,
        ]  # fmt: skip
        self._random.choice(options)(workspace, policy)

    def _key(self, workspace: Workspace, policy: Policy) -> None:
        name = self._random.choice(KEYS)
        full = f"{workspace.name}/apiKeys/{name}"
        if name in policy.keys:
            if self._random.random() < 0.3:
                request = admin.DeleteApiKeyRequest(name=full)
                self._attempt(workspace, "DeleteApiKey", request, policy.without_key(name))
            elif policy.keys[name].previous:
                self._revoke(workspace, policy, name)
            else:
                self._rotate(workspace, policy, name)
            return
        credential = secrets.token_hex(12)
        self._attempt(
            workspace,
            "CreateApiKey",
            admin.CreateApiKeyRequest(
                parent=workspace.name, api_key_id=name, credential_sha256=_sha256(credential)
            ),
            policy.with_key(name, Key(credential)),
        )

    def _rotate(self, workspace: Workspace, policy: Policy, name: str) -> None:
        overlap = self._random.choice([0, 86_400])
        request = admin.RotateApiKeyCredentialRequest(api_key=f"{workspace.name}/apiKeys/{name}")
        request.overlap.FromSeconds(overlap)
        key = policy.keys[name]

        def after(answer: Any) -> Policy:
            # Nobody can ask with a credential that got lost.
            credential = answer.credential if answer else ""
            previous = key.credential if overlap else ""
            return policy.with_key(name, replace(key, credential=credential, previous=previous))

        self._attempt(workspace, "RotateApiKeyCredential", request, after)

    def _revoke(self, workspace: Workspace, policy: Policy, name: str) -> None:
        current, key = self._random.random() < 0.5, policy.keys[name]
        request = admin.RevokeApiKeyCredentialRequest(
            api_key=f"{workspace.name}/apiKeys/{name}",
            credential="CREDENTIAL_CURRENT" if current else "CREDENTIAL_PREVIOUS",
        )
        left = key.previous if current else key.credential
        after = policy.with_key(name, replace(key, credential=left, previous=""))
        self._attempt(workspace, "RevokeApiKeyCredential", request, after)

    def _list(self, workspace: Workspace, policy: Policy) -> None:
        name = self._random.choice(LISTS)
        full = f"{workspace.name}/allowLists/{name}"
        if name not in policy.lists:
            ranges = {text: self._span() for text in self._random.sample(RANGES, 2)}
            messages = [_message(text, span) for text, span in ranges.items()]
            fields = {"display_name": name, "description": "d", "ranges": messages}
            request: Any = admin.CreateAllowListRequest(
                parent=workspace.name, allow_list_id=name, allow_list=fields
            )
            self._attempt(workspace, "CreateAllowList", request, policy.with_list(name, ranges))
            return
        there = policy.lists[name]
        text = self._random.choice(RANGES)
        if self._random.random() < 0.1:
            request = admin.DeleteAllowListRequest(name=full, force=True, allow_unrestricted=True)
            self._attempt(workspace, "DeleteAllowList", request, policy.without_list(name))
        elif text not in there:
            span = self._span()
            request = admin.AddRangesRequest(allow_list=full, ranges=[_message(text, span)])
            after = policy.with_list(name, there | {text: span})
            self._attempt(workspace, "AddRanges", request, after)
        elif self._random.random() < 0.5:
            span = self._span()
            if span == there[text]:
                return  # no change
            request = admin.UpdateRangesRequest(allow_list=full, ranges=[_message(text, span)])
            request.update_mask.paths.append("*")
            after = policy.with_list(name, there | {text: span})
            self._attempt(workspace, "UpdateRanges", request, after)
        elif len(there) > 1:
            request = admin.RemoveRangesRequest(allow_list=full, ranges=[text])
            after = policy.with_list(
                name, {other: span for other, span in there.items() if other != text}
            )
            self._attempt(workspace, "RemoveRanges", request, after)

    def _span(self) -> Span:
        """When a new range counts: half of them always, the others up to or from some instant soon."""
        soon = time.time_ns() + self._random.randrange(3 * 10**9)
        return self._random.choice(
            (ALWAYS, ALWAYS, ALWAYS, OFF, (ALWAYS[0], soon), (soon, ALWAYS[1]))
        )

    def _link(self, workspace: Workspace, policy: Policy) -> None:
        if not policy.keys or not policy.lists:
            return
        name, allow_list = self._any(policy.keys), self._any(policy.lists)
        key = policy.keys[name]
        linked = allow_list in key.lists
        kind: Any = admin.UnlinkApiKeysRequest if linked else admin.LinkApiKeysRequest
        request = kind(
            allow_list=f"{workspace.name}/allowLists/{allow_list}",
            api_keys=[f"{workspace.name}/apiKeys/{name}"],
        )
        request.allow_unrestricted = True
        after = replace(key, lists=key.lists ^ {allow_list})
        method = "UnlinkApiKeys" if linked else "LinkApiKeys"
        self._attempt(workspace, method, request, policy.with_key(name, after))

    def _default(self, workspace: Workspace, policy: Policy) -> None:
        if not policy.lists:
            return
        default = "" if policy.default else self._any(policy.lists)
        reports = bool(default) and self._random.random() < 0.3
        fields: dict[str, Any] = {"enabled": bool(default), "report_only": reports}
        if default:
            fields["allow_list"] = f"{workspace.name}/allowLists/{default}"
        request = admin.UpdateDefaultAllowListRequest(
            workspace=workspace.name, default_allow_list=fields, allow_unrestricted=True
        )
        after = replace(policy, default=default, default_report_only=reports)
        self._attempt(workspace, "UpdateDefaultAllowList", request, after)

    def _require(self, workspace: Workspace, policy: Policy) -> None:
        fields = {"name": workspace.name, "require_allow_list": not policy.required}
        request = admin.UpdateWorkspaceRequest(workspace=fields, allow_unrestricted=True)
        request.update_mask.paths.append("require_allow_list")
        after = replace(policy, required=not policy.required)
        self._attempt(workspace, "UpdateWorkspace", request, after)

    def _toggle(self, workspace: Workspace, policy: Policy) -> None:
        if not policy.keys:
            return
        name = self._any(policy.keys)
        flag = self._random.choice(("disabled", "report_only"))
        value = not getattr(policy.keys[name], flag)
        key = replace(policy.keys[name], **{flag: value})  # type: ignore[arg-type]
        fields = {"name": f"{workspace.name}/apiKeys/{name}", flag: value}
        request = admin.UpdateApiKeyRequest(api_key=fields, allow_unrestricted=True)
        request.update_mask.paths.append(flag)
        self._attempt(workspace, "UpdateApiKey", request, policy.with_key(name, key))

    def _any(self, choices: Any) -> str:
        return str(self._random.choice(sorted(choices)))

    def _attempt(
        self,
        workspace: Workspace,
        method: str,
        request: Any,
        after: Policy | Callable[[Any], Policy],
    ) -> bool:
        """Makes a change; records it unless it is certain that it was not made.

        `after` may depend on the response, which is None where it got lost.
        """
        began = now()
        try:
            answer = self._random.choice(self._clients).call(method, request, timeout=_TIMEOUT)
        except RpcFailed as failed:
            self._history.refused(f"{method}: {failed.code} {_reason(failed)}")
            if _reason(failed) in WITHOUT_EFFECT:
                return False
            assert failed.code in ("UNAVAILABLE", "DEADLINE_EXCEEDED", "CANCELLED"), failed
            policy = after(None) if callable(after) else after
            workspace.changes.append(Change(began, now(), policy, None))
            workspace.given_up = True
            return False
        policy = after(answer) if callable(after) else after
        workspace.changes.append(Change(began, now(), policy, revision(answer.revision)))
        return True


class Reader:
    """Asks about keys of all workspaces, at all servers, with and without `min_revision`."""

    def __init__(self, history: History, clients: list[Client], seed: int) -> None:
        self._history = history
        self._clients = clients
        self._random = random.Random(seed)

    def run(self, stop: threading.Event) -> None:
        while not stop.is_set():
            workspaces = self._history.workspaces[-6:]
            if not workspaces:
                stop.wait(0.05)
                continue
            self.ask(self._random.choice(workspaces), self._random.choice(self._clients))

    def ask(self, workspace: Workspace, client: Client, *, current: bool | None = None) -> None:
        """Asks one random question. `current`: with the revision of the last known change."""
        choose = self._random
        policy, key, ip = workspace.policy, choose.choice(KEYS), choose.choice(IPS)
        with_revision = choose.random() < 0.3 if current is None else current
        known = workspace.last_known() if with_revision else None
        credential = ""
        if key in policy.keys and choose.random() < 0.5:
            credentials = policy.keys[key].credential, policy.keys[key].previous
            credential = choose.choice(credentials)
        subject = (
            {"key": credential} if credential else {"api_key": f"{workspace.name}/apiKeys/{key}"}
        )
        wanted = known.revision if known else None
        began, asked = now(), time.time_ns()
        try:
            answer = client.ask(
                ip, timeout=_READ_TIMEOUT, min_revision=wanted.token() if wanted else "", **subject
            )
        except RpcFailed as failed:
            self._history.refused(f"Authorize: {failed.code} {_reason(failed)}")
            assert failed.code in ("UNAVAILABLE", "DEADLINE_EXCEEDED", "CANCELLED"), failed
            return
        reason = authorize.Reason.Name(answer.reason).removeprefix("REASON_")
        allowed = "reported" if answer.report_only else "allowed"
        verdict = allowed if answer.allowed else "denied"
        said = (verdict, reason, answer.allow_list.rpartition("/")[2], answer.range)
        self._history.answers.append(
            Answer(
                began=began,
                ended=now(),
                wall=(asked, time.time_ns()),
                workspace=workspace.name,
                key=key,
                credential=credential,
                ip=ip,
                wanted=wanted,
                revision=revision(answer.revision),
                said=said,
                server=client.address,
            )
        )


class TokenUser:
    """Creates access tokens, calls with them, and revokes them."""

    def __init__(self, history: History, clients: list[Client], seed: int) -> None:
        self._history = history
        self._clients = clients
        self._random = random.Random(seed)

    def run(self, stop: threading.Event) -> None:
        live: list[tuple[str, Client]] = []
        revoked: list[tuple[float, Client]] = []
        while not stop.is_set():
            client = self._random.choice(self._clients)
            try:
                if len(live) < 3:
                    token = client.access_token("AUTHORIZER")
                    live.append((token.access_token.name, client.as_(token.token)))
                elif self._random.random() < 0.05:
                    name, user = live.pop(0)
                    client.call("RevokeAccessToken", admin.RevokeAccessTokenRequest(name=name))
                    revoked = [*revoked[-20:], (now(), user)]
            except RpcFailed as failed:
                self._history.refused(f"tokens: {failed.code} {_reason(failed)}")
            for at, user in [(None, user) for _, user in live] + revoked[-3:]:
                began = now()
                # Its token was made known at one server; here it is used at any of them.
                other = self._random.choice(self._clients).as_(user.token)
                try:
                    other.ask("10.0.0.1", key="nobody", timeout=_TIMEOUT)
                except RpcFailed:
                    continue
                self._history.token_uses.append(TokenUse(began, at))
            stop.wait(0.02)


def _reason(failed: RpcFailed) -> str:
    return failed.reason if failed.status.details else ""


def _message(text: str, span: Span) -> resources.Range:
    message = resources.Range(cidr=text, disabled=span == OFF)
    start, end = span
    if start > ALWAYS[0]:
        message.start_time.FromNanoseconds(start)
    if ALWAYS[0] < end < ALWAYS[1]:
        message.expire_time.FromNanoseconds(end)
    return message


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
