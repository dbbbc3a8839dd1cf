"""Walks through the job that ipgate is made for, with the real commands against a real server:
an allow list, keys linked to it, several lists on one key, and a default for the rest."""

import os
import shlex
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

IPGATE = Path(sys.executable).with_name("ipgate")

STEPS = [
    ("A workspace is the tenant that everything belongs to.",
     ["workspace create acme --name 'Acme Inc.'"]),
    ("An API key without any list may be used from everywhere. Its credential is shown once.",
     ["key create ci --name 'CI jobs'", "key create batch", "key create spare",
      "authorize 203.0.113.9 --api-key ci"]),
    ("Create an IP allow list: a name, a description, and addresses or CIDR ranges.",
     ["list create office --name Office --description 'Head office egress' -r 198.51.100.73",
      "list create range --name 'Data centre' --description 'Batch jobs' -r 198.51.100.0/24"]),
    ("Only IPv4 addresses and exact CIDR ranges are taken; all errors are reported together.",
     ["list add office -r 2001:db8::1 -r 198.51.100.9/24 -r 192.0.2.0/255.255.255.0"]),
    ("Link API keys to the lists, and see what that means.",
     ["list link office ci", "list link range batch", "list keys office",
      "authorize 198.51.100.73 --api-key ci", "authorize 198.51.100.74 --api-key ci",
      "authorize 198.51.100.0 --api-key batch", "authorize 198.51.100.255 --api-key batch",
      "authorize 198.51.101.0 --api-key batch"]),
    ("Several lists on one key: an address in any of them is allowed.",
     ["list link range ci", "authorize 198.51.100.74 --api-key ci"]),
    ("A default list applies to every key that is linked to none.",
     ["default set range", "authorize 198.51.100.9 --api-key spare",
      "authorize 203.0.113.9 --api-key spare", "key ls"]),
    ("A removed address stops working immediately.",
     ["list add range -r 203.0.113.9", "authorize 203.0.113.9 --api-key spare",
      "list remove range -r 203.0.113.9", "authorize 203.0.113.9 --api-key spare"]),
    ("A key can be disabled; one that does not exist is unknown.",
     ["key update spare --disable", "authorize 198.51.100.9 --api-key spare",
      "authorize 198.51.100.9 --api-key nobody"]),
    ("Backends get a token that can do nothing but ask.",
     ["token create authorizer --id backend", "token ls"]),
]  # fmt: skip


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="ipgate-demo-") as directory:
        serve = [str(IPGATE), "serve", "--listen", "127.0.0.1:0", "--data-dir", directory]
        with subprocess.Popen(
            [*serve, "--workers", "1", "--log-level", "WARNING"], stdout=subprocess.PIPE, text=True
        ) as server:
            try:
                assert server.stdout is not None
                first = server.stdout.readline()
                if "listens on" not in first:
                    return 1
                walk(first.split()[4], Path(directory) / "root-token")
            finally:
                server.terminate()
    return 0


def walk(address: str, token: Path) -> None:
    variables = {
        "IPGATE_SERVER": address,
        "IPGATE_TOKEN_FILE": str(token),
        "IPGATE_WORKSPACE": "acme",
    }
    for number, (text, commands) in enumerate(STEPS, 1):
        print(f"\n{number}. {text}\n", flush=True)
        for command in commands:
            print(f"$ ipgate {command}", flush=True)
            done = subprocess.run(
                [IPGATE, *shlex.split(command)], env=os.environ | variables, check=False
            )
            if done.returncode:
                print(f"(exit code {done.returncode})", flush=True)


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        sys.exit(main())
    sys.exit(130)
