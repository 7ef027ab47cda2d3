"""How much memory is free: what Linux says, and what a container allows."""

import sys

import pytest
import torch

from headforcing.headforcing_core import device
from headforcing.headforcing_core.device import free_host_memory, free_memory, memory_of

MIB = 1024**2


def system(folder, available_mib, groups=""):
    """Write what a Linux says of itself."""
    (folder / "proc/self").mkdir(parents=True)
    told = f"MemTotal: 9999999 kB\nMemAvailable:   {available_mib * 1024} kB\nHugePages_Total: 0\n"
    (folder / "proc/meminfo").write_text(told)
    (folder / "proc/self/cgroup").write_text(groups)
    return folder


def group(folder, most, used, files=0, older=False):
    folder.mkdir(parents=True, exist_ok=True)
    names = ("limit_in_bytes", "usage_in_bytes") if older else ("max", "current")
    for name, size in zip(names, (most, used), strict=True):
        (folder / f"memory.{name}").write_text(f"{size}\n")
    begins = "total_" if older else ""
    (folder / "memory.stat").write_text(
        f"{begins}inactive_file {files}\n{begins}active_file 0\nslab 5\n"
    )


def test_what_linux_has_available(tmp_path):
    assert free_host_memory(system(tmp_path, 700)) == 700 * MIB


@pytest.mark.parametrize("older", [False, True])
def test_a_container_allows_less(tmp_path, older):
    line = "4:memory:/some/where\n" if older else "0::/some/where\n"
    root = system(tmp_path, 700, "9:name=systemd:/\n" + line)
    mount = root / ("sys/fs/cgroup/memory" if older else "sys/fs/cgroup")
    # seen from inside: its own group is the root, and that of the line is not there
    group(mount, 300 * MIB, 250 * MIB, files=100 * MIB, older=older)
    assert free_host_memory(root) == 150 * MIB
    # seen from outside
    group(mount / "some/where", 200 * MIB, 180 * MIB, older=older)
    assert free_host_memory(root) == 20 * MIB
    group(mount / "some/where", 200 * MIB, 220 * MIB, older=older)
    assert free_host_memory(root) == 0


def test_a_group_without_a_limit_allows_all(tmp_path):
    root = system(tmp_path, 700, "0::/\n")
    group(root / "sys/fs/cgroup", "max", 5 * MIB)
    assert free_host_memory(root) == 700 * MIB


def test_where_it_is_not_told_it_is_not_known(tmp_path):
    assert free_host_memory(tmp_path) is None
    assert free_memory("meta") is None


@pytest.mark.skipif(sys.platform != "linux", reason="Linux tells")
def test_this_machine():
    assert 0 < free_memory("cpu") <= memory_of("cpu")


def test_the_cpu_has_what_the_host_has(monkeypatch):
    monkeypatch.setattr(device, "free_host_memory", lambda: 5)
    assert free_memory("cpu") == 5


def test_a_gpu_counts_what_pytorch_keeps(monkeypatch):
    kept = {"memory_reserved": 70, "memory_allocated": 30}
    for name, size in kept.items():
        monkeypatch.setattr(torch.cuda, name, lambda on, size=size: size)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda on: (100, 1000))
    assert free_memory("cuda:0") == 140
