"""Packages of npm that tests use, as a package-lock.json pins them."""

import fcntl
import shutil
import subprocess
from pathlib import Path

from tests.harness.sources import ROOT

INSTALLED = ROOT / ".external"


def install(locked: Path) -> Path:
    """Installs the packages of a folder's package-lock.json; their `node_modules`."""
    assert shutil.which("npm"), "npm is not installed; on Debian: apt-get install npm"
    target = INSTALLED / locked.relative_to(ROOT)
    target.mkdir(parents=True, exist_ok=True)
    lock = (locked / "package-lock.json").read_text()
    installed = target / "installed.json"
    with (target / "in-progress").open("w") as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)  # tests run side by side
        if not installed.exists() or installed.read_text() != lock:
            for name in ("package.json", "package-lock.json"):
                shutil.copy(locked / name, target)
            command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
            subprocess.run(command, check=True, timeout=290, cwd=target, capture_output=True)
            installed.write_text(lock)
    return target / "node_modules"
