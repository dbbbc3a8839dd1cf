"""How many workers there are by default."""

import os
from pathlib import Path

import pytest
from ipgate.app import cores

CORES = len(os.sched_getaffinity(0))


def tree(root: Path, files: dict[str, str]) -> Path:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return root


@pytest.mark.parametrize(
    ("files", "limit"),
    [
        ({}, None),
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "max 100000\n"}, None),
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "150000 100000\n"}, 1.5),
        (
            {
                "proc/self/cgroup": "0::/a/b\n",
                "sys/fs/cgroup/a/cpu.max": "50000 100000\n",
                "sys/fs/cgroup/a/b/cpu.max": "200000 100000\n",
            },
            0.5,
        ),
        (
            {
                "proc/self/cgroup": "12:cpu,cpuacct:/docker/x\n3:memory:/docker/x\n",
                "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "250000\n",
                "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
            },
            2.5,
        ),
        (
            {
                "proc/self/cgroup": "12:cpu,cpuacct:/\n",
                "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1\n",
                "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
            },
            None,
        ),
        (
            {"proc/self/cgroup": "0::/../../outside\n", "sys/fs/cgroup/cpu.max": "100000 100000\n"},
            1.0,
        ),
    ],
)
def test_the_cpu_limit_of_a_cgroup_is_found(
    tmp_path: Path, files: dict[str, str], limit: float | None
) -> None:
    """Of both versions, the least of the group and those above it, none where there is none."""
    assert cores.cgroup_limit(tree(tmp_path, files)) == limit


@pytest.mark.parametrize(
    ("quota", "count"), [(1000, 1), (100_000, 1), (100_001, 2), (10**9, CORES)]
)
def test_a_limit_is_rounded_up_and_never_more_than_the_cores(
    tmp_path: Path, quota: int, count: int
) -> None:
    """The smaller of both decides, and is named."""
    files = {"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": f"{quota} 100000\n"}
    usable, reason = cores.usable(tree(tmp_path, files))
    assert usable == min(count, CORES)
    assert ("limit" in reason) == (count < CORES)
