"""Random admin calls and questions, compared with a plain model of what is kept."""

import ipaddress
from operator import attrgetter
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from ipgate.v1 import admin_pb2 as admin
from ipgate.v1 import authorize_pb2 as authorize

from tests.harness.ranges import plain
from tests.harness.servers import Client, RpcFailed, Server

pytestmark = pytest.mark.store

LISTS = st.sampled_from([f"l{index}" for index in range(7)])
KEYS = st.sampled_from(["k0", "k1", "k2"])
RANGES = st.sampled_from(
    ["10.0.0.0/24", "10.0.0.0/25", "10.0.0.128", "10.0.1.0/24", "10.0.0.0/23",
     "2001:db8::/48", "2001:db8::/64", "2001:db8::1"]
)  # fmt: skip
IPS = st.sampled_from(
    [
        "10.0.0.1",
        "10.0.0.128",
        "10.0.0.200",
        "10.0.1.1",
        "9.9.9.9",
        "::1",
        "2001:db8::1",
        "2001:db8::2",
    ]
)
SETS = st.sets(RANGES, min_size=1)
PAST, FUTURE = "2020-01-01T00:00:00Z", "2999-01-01T00:00:00Z"
ATTRIBUTES: dict[str, dict[str, Any]] = {
    "plain": {},
    "noted": {"note": "a note"},
    "off": {"disabled": True},
    "expired": {"expire_time": PAST},
    "coming": {"start_time": FUTURE},
    "dated": {"start_time": PAST, "expire_time": FUTURE, "note": "Ada's"},
}
COUNTING = {"plain", "noted", "dated"}
STATES = st.dictionaries(RANGES, st.sampled_from(sorted(ATTRIBUTES)), min_size=1)


def messages(states: dict[str, str]) -> list[Any]:
    """Ranges, each in one of the states of ATTRIBUTES."""
    return plain([{"cidr": cidr} | ATTRIBUTES[state] for cidr, state in sorted(states.items())])


class Model(RuleBasedStateMachine):
    """The model: lists are ranges with a state each, keys are records with sets of links."""

    server: Server

    def __init__(self) -> None:
        super().__init__()
        self.lists: dict[str, dict[str, str]] = {}
        self.keys: dict[str, dict[str, Any]] = {}
        self.default: tuple[bool, str] = (False, "")
        self.required = False
        self.revision = ""
        self.ended: set[str] = set()

    @initialize()
    def begin(self) -> None:
        self.client: Client = self.server.client()
        self.workspace = self.client.workspace(ipv6_enabled=True)

    def teardown(self) -> None:
        if hasattr(self, "client"):
            self.client.channel.close()

    def list_name(self, allow_list: str) -> str:
        return f"{self.workspace}/allowLists/{allow_list}"

    def key_name(self, key: str) -> str:
        return f"{self.workspace}/apiKeys/{key}"

    def expect(self, method: str, request: Any, code: str = "OK") -> Any:
        """Makes a call that must end with `code`; remembers the revision of a change."""
        try:
            answer = self.client.call(method, request)
        except RpcFailed as failed:
            assert failed.code == code, f"{method}: {failed}"
            return None
        assert code == "OK", f"{method} should have failed with {code}"
        self.revision = getattr(answer, "revision", "") or self.revision
        return answer

    @rule(name=LISTS, ranges=STATES)
    def create_list(self, name: str, ranges: dict[str, str]) -> None:
        request = admin.CreateAllowListRequest(
            parent=self.workspace,
            allow_list_id=name,
            allow_list={"display_name": name, "description": "d", "ranges": messages(ranges)},
        )
        self.expect("CreateAllowList", request, "ALREADY_EXISTS" if name in self.lists else "OK")
        self.lists.setdefault(name, dict(ranges))

    def losing(self, name: str, keys: set[str]) -> set[str]:
        """Which of the keys have the list as their last."""
        return {key for key in keys if self.keys[key]["links"] == {name}}

    def affect(self, answer: Any, losing: set[str], *, opened: bool) -> None:
        """The effect of a change names the keys that lost their last list."""
        if answer:
            names = {self.key_name(key) for key in losing}
            assert set(answer.effect.unlinked_api_keys.api_keys) == names
            affected = answer.effect.unrestricted_api_keys
            assert set(affected.api_keys) == (names if opened else set())

    @rule(name=LISTS, force=st.booleans(), consent=st.booleans())
    def delete_list(self, name: str, force: bool, consent: bool) -> None:
        used = self.default == (True, name) or any(
            name in key["links"] for key in self.keys.values()
        )
        code = "OK" if name in self.lists else "NOT_FOUND"
        if code == "OK" and used and not force:
            code = "FAILED_PRECONDITION"
        is_default = self.default == (True, name)
        linked = {key for key, fields in self.keys.items() if name in fields["links"]}
        losing = self.losing(name, linked)
        opened = not self.required and (is_default or not self.default[0])
        others = is_default and any(not fields["links"] for fields in self.keys.values())
        if code == "OK" and not consent and opened and (losing or others):
            code = "FAILED_PRECONDITION"
        request = admin.DeleteAllowListRequest(
            name=self.list_name(name), force=force, allow_unrestricted=consent
        )
        self.affect(self.expect("DeleteAllowList", request, code), losing, opened=opened)
        if code == "OK":
            del self.lists[name]
            for key in self.keys.values():
                key["links"].discard(name)
            if self.default[1] == name:
                self.default = (False, "")

    @rule(name=LISTS, ranges=STATES)
    def add_ranges(self, name: str, ranges: dict[str, str]) -> None:
        request = admin.AddRangesRequest(allow_list=self.list_name(name), ranges=messages(ranges))
        present = self.lists.get(name, {})
        code = "OK" if name in self.lists else "NOT_FOUND"
        if any(present.get(cidr, state) != state for cidr, state in ranges.items()):
            code = "FAILED_PRECONDITION"
        self.expect("AddRanges", request, code)
        if code == "OK":
            present |= ranges

    @rule(name=LISTS, ranges=STATES)
    def update_ranges(self, name: str, ranges: dict[str, str]) -> None:
        request = admin.UpdateRangesRequest(
            allow_list=self.list_name(name), ranges=messages(ranges), update_mask={"paths": ["*"]}
        )
        present = self.lists.get(name, {})
        code = "OK" if name in self.lists else "NOT_FOUND"
        if code == "OK" and ranges.keys() - present.keys():
            code = "FAILED_PRECONDITION"
        answer = self.expect("UpdateRanges", request, code)
        if code == "OK":
            changed = {cidr for cidr, state in ranges.items() if present[cidr] != state}
            assert set(answer.effect.ranges_changed.ranges) == changed
            present |= ranges

    @rule(name=LISTS, ranges=SETS)
    def remove_ranges(self, name: str, ranges: set[str]) -> None:
        request = admin.RemoveRangesRequest(allow_list=self.list_name(name), ranges=sorted(ranges))
        if name not in self.lists:
            self.expect("RemoveRanges", request, "NOT_FOUND")
        elif ranges < self.lists[name].keys():
            self.expect("RemoveRanges", request)
            for cidr in ranges:
                del self.lists[name][cidr]
        else:
            self.expect("RemoveRanges", request, "FAILED_PRECONDITION")

    @rule(name=LISTS, ranges=STATES)
    def replace_ranges(self, name: str, ranges: dict[str, str]) -> None:
        fields = {"name": self.list_name(name), "ranges": messages(ranges)}
        request = admin.UpdateAllowListRequest(allow_list=fields)
        self.expect("UpdateAllowList", request, "OK" if name in self.lists else "NOT_FOUND")
        if name in self.lists:
            self.lists[name] = dict(ranges)

    @rule(name=KEYS, disabled=st.booleans(), expired=st.booleans())
    def create_key(self, name: str, disabled: bool, expired: bool) -> None:
        api_key: dict[str, Any] = {"disabled": disabled}
        if expired:
            api_key["expire_time"] = {"seconds": 1}
        request = admin.CreateApiKeyRequest(parent=self.workspace, api_key_id=name, api_key=api_key)
        code = "ALREADY_EXISTS" if name in self.keys else "OK"
        answer = self.expect("CreateApiKey", request, code)
        if answer:
            self.keys[name] = {
                "credential": answer.credential,
                "disabled": disabled,
                "expired": expired,
                "links": set(),
                "previous": "",
            }

    @rule(name=KEYS, disabled=st.booleans())
    def update_key(self, name: str, disabled: bool) -> None:
        request = admin.UpdateApiKeyRequest(
            api_key={"name": self.key_name(name), "disabled": disabled}
        )
        request.update_mask.paths.append("disabled")
        self.expect("UpdateApiKey", request, "OK" if name in self.keys else "NOT_FOUND")
        if name in self.keys:
            self.keys[name]["disabled"] = disabled

    @rule(name=KEYS, overlap=st.sampled_from([0, 3600]))
    def rotate(self, name: str, overlap: int) -> None:
        request = admin.RotateApiKeyCredentialRequest(api_key=self.key_name(name))
        request.overlap.FromSeconds(overlap)
        key = self.keys.get(name)
        code = "NOT_FOUND" if key is None else "FAILED_PRECONDITION" if key["previous"] else "OK"
        answer = self.expect("RotateApiKeyCredential", request, code)
        if key and answer:
            self.ended |= set() if overlap else {key["credential"]}
            key["previous"] = key["credential"] if overlap else ""
            key["credential"] = answer.credential

    @rule(name=KEYS, current=st.booleans())
    def revoke(self, name: str, current: bool) -> None:
        request = admin.RevokeApiKeyCredentialRequest(
            api_key=self.key_name(name),
            credential="CREDENTIAL_CURRENT" if current else "CREDENTIAL_PREVIOUS",
        )
        key = self.keys.get(name)
        code = "NOT_FOUND" if key is None else "OK"
        if key and current and not key["previous"]:
            code = "FAILED_PRECONDITION"
        answer = self.expect("RevokeApiKeyCredential", request, code)
        if key and answer and key["previous"]:
            self.ended.add(key["credential" if current else "previous"])
            key["credential"] = key["previous"] if current else key["credential"]
            key["previous"] = ""

    @precondition(lambda self: self.ended)
    @rule(data=st.data(), ip=IPS)
    def ask_with_an_ended_credential(self, data: st.DataObject, ip: str) -> None:
        """Nobody has it."""
        credential = data.draw(st.sampled_from(sorted(self.ended)))
        answer = self.client.ask(ip, min_revision=self.revision, key=credential)
        assert answer.reason == authorize.REASON_KEY_UNKNOWN

    @rule(name=KEYS)
    def delete_key(self, name: str) -> None:
        request = admin.DeleteApiKeyRequest(name=self.key_name(name))
        self.expect("DeleteApiKey", request, "OK" if name in self.keys else "NOT_FOUND")
        gone = self.keys.pop(name, None)
        if gone:
            self.ended |= {gone["credential"], gone["previous"]} - {""}

    @rule(name=KEYS, lists=st.sets(LISTS), consent=st.booleans())
    def set_lists(self, name: str, lists: set[str], consent: bool) -> None:
        request = admin.SetApiKeyAllowListsRequest(
            api_key=self.key_name(name),
            allow_lists=[self.list_name(allow_list) for allow_list in sorted(lists)],
            allow_unrestricted=consent,
        )
        if name not in self.keys or not lists <= set(self.lists):
            self.expect("SetApiKeyAllowLists", request, "NOT_FOUND")
            return
        losing = {name} if self.keys[name]["links"] and not lists else set()
        opened = not self.default[0] and not self.required
        code = "FAILED_PRECONDITION" if losing and opened and not consent else "OK"
        answer = self.expect("SetApiKeyAllowLists", request, code)
        self.affect(answer, losing, opened=opened)
        if answer:
            self.keys[name]["links"] = set(lists)

    @rule(name=LISTS, keys=st.sets(KEYS, min_size=1), link=st.booleans(), consent=st.booleans())
    def link(self, name: str, keys: set[str], link: bool, consent: bool) -> None:
        kind = admin.LinkApiKeysRequest if link else admin.UnlinkApiKeysRequest
        request = kind(
            allow_list=self.list_name(name), api_keys=[self.key_name(key) for key in sorted(keys)]
        )
        code = "OK" if name in self.lists and keys <= set(self.keys) else "NOT_FOUND"
        opened = not self.default[0] and not self.required
        losing = self.losing(name, keys) if code == "OK" and not link else set()
        if isinstance(request, admin.UnlinkApiKeysRequest):
            request.allow_unrestricted = consent
            if losing and opened and not consent:
                code = "FAILED_PRECONDITION"
        answer = self.expect("LinkApiKeys" if link else "UnlinkApiKeys", request, code)
        self.affect(answer, losing, opened=opened)
        for key in keys if answer else ():
            links = self.keys[key]["links"]
            links.add(name) if link else links.discard(name)

    @rule(name=LISTS, enabled=st.booleans())
    def update_default(self, name: str, enabled: bool) -> None:
        request = admin.UpdateDefaultAllowListRequest(
            allow_unrestricted=True,
            workspace=self.workspace,
            default_allow_list={"enabled": enabled, "allow_list": self.list_name(name)},
        )
        code = "OK" if name in self.lists else "NOT_FOUND"
        self.expect("UpdateDefaultAllowList", request, code)
        if name in self.lists:
            self.default = (enabled, name)

    @rule(required=st.booleans())
    def require(self, required: bool) -> None:
        request = admin.UpdateWorkspaceRequest(
            workspace={"name": self.workspace, "require_allow_list": required},
            allow_unrestricted=True,
        )
        request.update_mask.paths.append("require_allow_list")
        self.expect("UpdateWorkspace", request)
        self.required = required

    @precondition(lambda self: self.lists or self.keys)
    @rule()
    def read_back(self) -> None:
        """What is listed is what the model has."""
        lists = self.client.call(
            "ListAllowLists", admin.ListAllowListsRequest(parent=self.workspace)
        )
        assert {allow_list.name: allow_list.range_count for allow_list in lists.allow_lists} == {
            self.list_name(name): len(ranges) for name, ranges in self.lists.items()
        }
        keys = self.client.call("ListApiKeys", admin.ListApiKeysRequest(parent=self.workspace))
        assert {
            api_key.name: (api_key.disabled, set(api_key.allow_lists)) for api_key in keys.api_keys
        } == {
            self.key_name(name): (key["disabled"], set(map(self.list_name, key["links"])))
            for name, key in self.keys.items()
        }
        for name, ranges in self.lists.items():
            resource = self.client.call(
                "GetAllowList", admin.GetAllowListRequest(name=self.list_name(name))
            )
            assert sorted(resource.ranges, key=attrgetter("cidr")) == messages(ranges)
            linked = sum(name in key["links"] for key in self.keys.values())
            assert resource.linked_api_key_count == linked

    @rule(name=KEYS, ip=IPS, by=st.sampled_from(["name", "credential", "previous"]))
    def ask(self, name: str, ip: str, by: str) -> None:
        """The answer is the model's, with every change so far in force."""
        key = self.keys.get(name)
        if by != "name" and key:
            subject = {"key": key[by] or key["credential"]}
        else:
            subject = {"api_key": self.key_name(name)}
        answer = self.client.ask(ip, min_revision=self.revision, **subject)
        wanted, allow_list, range_ = self.judge(key, ip)
        assert authorize.Reason.Name(answer.reason) == f"REASON_{wanted}"
        assert answer.allowed == (
            wanted in ("LINKED_LIST_MATCH", "DEFAULT_LIST_MATCH", "UNRESTRICTED")
        )
        assert answer.allow_list == (self.list_name(allow_list) if allow_list else "")
        assert answer.range == range_

    def judge(self, key: dict[str, Any] | None, ip: str) -> tuple[str, str, str]:
        """Rules 2 to 5, read plainly."""
        if key is None:
            return "KEY_UNKNOWN", "", ""
        if key["disabled"]:
            return "KEY_DISABLED", "", ""
        if key["expired"]:
            return "KEY_EXPIRED", "", ""
        if key["links"]:
            match = self.search(key["links"], ip)
            return ("LINKED_LIST_MATCH", *match) if match else ("NOT_IN_LINKED_LISTS", "", "")
        if self.default[0]:
            match = self.search({self.default[1]}, ip)
            return ("DEFAULT_LIST_MATCH", *match) if match else ("NOT_IN_DEFAULT_LIST", "", "")
        return ("NO_ALLOW_LIST" if self.required else "UNRESTRICTED"), "", ""

    def search(self, lists: set[str], ip: str) -> tuple[str, str] | None:
        matches = [
            (-network.prefixlen, name, text)
            for name in lists
            for text, state in self.lists[name].items()
            if state in COUNTING
            for network in [ipaddress.ip_network(text)]
            if ipaddress.ip_address(ip) in network
        ]
        return min(matches)[1:] if matches else None


def test_random_calls_agree_with_the_model(server: Server) -> None:
    """No sequence of admin calls and questions tells the server from the model."""
    Model.server = server
    run = settings(
        max_examples=40,
        stateful_step_count=40,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    Model.TestCase.settings = run
    case = Model.TestCase()
    case.runTest()
