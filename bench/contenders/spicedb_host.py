"""Hosts the library that SpiceDB's package is, and asks it: it answers single checks in process only.

Its argument is the library. Commands come as lines of JSON on standard input, answers go as such to
standard output: `{"ip": I}` asks once and gives whether I is allowed; `{"calls": N}` asks so often
and gives how often that was a second; `{"calls": N, "rate": R}` asks at that rate and gives when each
call was due and how long after that it was answered, in µs.
"""

import ctypes
import json
import sys
import time
from typing import Any

import grpc
from google.protobuf.json_format import ParseDict
from google.protobuf.message import Message

from bench import ranges
from bench.contenders.spicedb import COUNT

_API: Any = grpc.protos("bench/contenders/spicedb.proto")
_SCHEMA = """
caveat listed(ip ipaddress, ranges list<string>) { ranges.exists(prefix, ip.in_cidr(prefix)) }
definition key {}
definition api {
  relation caller: key with listed
  permission use = caller
}
"""
_OBJECT = {"objectType": "api", "objectId": "any"}
_SUBJECT = {"object": {"objectType": "key", "objectId": "k"}}


class SpiceDB:
    def __init__(self, path: str) -> None:
        self._library = ctypes.CDLL(path)
        self._library.spicedb_start.restype = ctypes.c_char_p
        started = json.loads(self._library.spicedb_start(b"{}"))
        self._handle = ctypes.c_ulonglong(started["data"]["handle"])
        self.call("schema_write_schema", _API.WriteSchemaRequest(schema=_SCHEMA))
        prefixes = [text if "/" in text else f"{text}/32" for text in ranges.texts(COUNT)]
        relationship = {
            "resource": _OBJECT,
            "relation": "caller",
            "subject": _SUBJECT,
            "optionalCaveat": {"caveatName": "listed", "context": {"ranges": prefixes}},
        }
        updates = [{"operation": "OPERATION_TOUCH", "relationship": relationship}]
        written = ParseDict({"updates": updates}, _API.WriteRelationshipsRequest())
        self.call("permissions_write_relationships", written)

    def allows(self, ip: str) -> bool:
        answer = self.call("permissions_check_permission", question(ip))
        response = _API.CheckPermissionResponse.FromString(answer)
        return bool(response.permissionship == response.PERMISSIONSHIP_HAS_PERMISSION)

    def call(self, function: str, request: Message) -> bytes:
        """A function of the library, which takes and gives messages. RuntimeError if it fails."""
        sent = request.SerializeToString()
        answer, length = ctypes.POINTER(ctypes.c_char)(), ctypes.c_int()
        error = ctypes.c_char_p()
        pointers = (ctypes.byref(variable) for variable in (answer, length, error))
        getattr(self._library, f"spicedb_{function}")(self._handle, sent, len(sent), *pointers)
        if error.value:
            raise RuntimeError(error.value.decode())
        received = ctypes.string_at(answer, length.value)
        self._library.spicedb_free_bytes(answer)
        return received


def question(ip: str) -> Message:
    asked = {"resource": _OBJECT, "permission": "use", "subject": _SUBJECT, "context": {"ip": ip}}
    message: Message = ParseDict(asked, _API.CheckPermissionRequest())
    return message


def saturate(spicedb: SpiceDB, calls: int) -> float:
    asked = question(ranges.inside(ranges.texts(COUNT)))
    began = time.perf_counter()
    for _ in range(calls):
        spicedb.call("permissions_check_permission", asked)
    return calls / (time.perf_counter() - began)


def pace(spicedb: SpiceDB, calls: int, rate: float) -> tuple[list[int], list[int]]:
    asked = question(ranges.inside(ranges.texts(COUNT)))
    due, durations = [], []
    began = time.perf_counter()
    for index in range(calls):
        due.append(began + index / rate)
        time.sleep(max(0.0, due[-1] - time.perf_counter()))
        spicedb.call("permissions_check_permission", asked)
        durations.append(round((time.perf_counter() - due[-1]) * 1e6))
    return [round(moment * 1e6) for moment in due], durations


def main() -> None:
    spicedb = SpiceDB(sys.argv[1])
    print(json.dumps("ready"), flush=True)
    for line in sys.stdin:
        match json.loads(line):
            case {"ip": ip}:
                answer: Any = spicedb.allows(ip)
            case {"calls": calls, "rate": rate}:
                answer = pace(spicedb, calls, rate)
            case {"calls": calls}:
                answer = saturate(spicedb, calls)
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
