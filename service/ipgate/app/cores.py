"""How many cores this process may use, and what decides it."""

import math
import os
from collections.abc import Callable
from pathlib import Path


def usable(root: Path = Path("/")) -> tuple[int, str]:
    """Return how many cores this process may use, and what decided it, in words.

    That is the smaller of its scheduler affinity and its cgroup's CPU limit, rounded up. `root`: where the file
    systems of the kernel are mounted.
    """
    cores = len(os.sched_getaffinity(0))
    limit = cgroup_limit(root)
    if limit is None or math.ceil(limit) >= cores:
        return cores, f"{cores} core{'s' * (cores > 1)}"
    return max(1, math.ceil(limit)), f"a CPU limit of {limit:g}"


def cgroup_limit(root: Path) -> float | None:
    """Return the lowest CPU limit of this process's cgroup and those above it, in cores, or None."""
    limits = []
    for line in _lines(root / "proc/self/cgroup"):
        _, _, rest = line.partition(":")
        controllers, _, group = rest.partition(":")
        if not controllers:
            limits += _of_groups(root / "sys/fs/cgroup", group, _version_2)
        elif "cpu" in controllers.split(","):
            limits += _of_groups(root / "sys/fs/cgroup/cpu", group, _version_1)
    return min(limits, default=None)


def _of_groups(mount: Path, group: str, read: Callable[[Path], float | None]) -> list[float]:
    """Return the limits of a group and those above it.

    In a container the group itself is the mount.
    """
    path = mount / group.strip("/")
    groups = [path, *path.parents]
    inside = groups[: groups.index(mount) + 1] if mount in groups else [mount]
    return [limit for group in inside if (limit := read(group)) is not None]


def _version_2(group: Path) -> float | None:
    words = " ".join(_lines(group / "cpu.max")).split()
    if len(words) != 2 or words[0] == "max":  # a quota and its period, in microseconds
        return None
    return int(words[0]) / int(words[1])


def _version_1(group: Path) -> float | None:
    quota = " ".join(_lines(group / "cpu.cfs_quota_us"))
    period = " ".join(_lines(group / "cpu.cfs_period_us"))
    if not quota or not period or int(quota) <= 0:
        return None
    return int(quota) / int(period)


def _lines(file: Path) -> list[str]:
    try:
        return file.read_text().splitlines()
    except OSError:
        return []
