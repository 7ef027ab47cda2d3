"""Where a model runs, and how much room there is."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import torch
from torch import Tensor

MIB = 1024**2
GIB = 1024**3


def choose_device(name: str | None = None) -> torch.device:
    """Return the named device after trying it, or the best one here.

    Raises:
        RuntimeError: if a named device cannot be used.
    """
    if name is None:
        return torch.device(_available()[0])
    try:
        device = torch.device(name)
        torch.ones(1, device=device).sum().item()
    # a torch built without a backend asserts or misses a module, another raises RuntimeError
    except (RuntimeError, AssertionError, NotImplementedError, ImportError) as error:
        reason = str(error).splitlines()[0].split(". ")[0]
        raise RuntimeError(
            f"device must be one this machine and its torch can use, got {name}: {reason}"
        ) from error
    return device


def usual_dtype(device: torch.device) -> torch.dtype:
    """Return what a model computes in where nobody says."""
    return torch.float32 if device.type == "cpu" else torch.bfloat16


def has_dtype(device: torch.device | str, dtype: torch.dtype) -> bool:
    """Say whether a device can hold numbers of a dtype and turn them into others."""
    try:
        torch.zeros(1, dtype=dtype, device=device).to(torch.bfloat16)
    except (TypeError, RuntimeError):  # backends say it by one or the other
        return False
    return True


def memory_of(device: torch.device | str) -> int:
    """Return the bytes of memory a device has in all; a huge number where it cannot be told."""
    device = torch.device(device)
    if device.type == "cuda":
        return torch.cuda.get_device_properties(device).total_memory
    # the CPU hands out memory it does not have and ends the process when it is used
    if device.type == "cpu" and hasattr(os, "sysconf"):
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return sys.maxsize


def free_memory(device: torch.device | str) -> int | None:
    """Return the bytes a device has left for us now; None where that cannot be told.

    Of a CUDA device, what the driver has and what PyTorch keeps of it for later.
    """
    device = torch.device(device)
    if device.type == "cuda":
        kept = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return torch.cuda.mem_get_info(device)[0] + kept
    return free_host_memory() if device.type == "cpu" else None


def free_host_memory(root: Path = Path("/")) -> int | None:
    """Return the bytes that Linux has available, or lets this process have where that is less.

    Swap is not counted, caches of files are: they give way.

    Args:
        root: where ``proc`` and ``sys`` are.

    Returns:
        None where the system does not tell.
    """
    there = _numbers(root / "proc/meminfo").get("MemAvailable:")
    if there is None:
        return None
    return max(0, min([1024 * there, *_left_to_groups(root)]))


# of a control group: where it is, limit, use, and what its statistics begin with
GROUPS = ("sys/fs/cgroup", "memory.max", "memory.current", "")
OLDER_GROUPS = (
    *("sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes"),
    "total_",
)


def _left_to_groups(root: Path) -> Iterator[int]:
    """Yield what each control group may still use that this process is in, a container's too."""
    for line in _read(root / "proc/self/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers and "memory" not in controllers.split(","):
            continue
        mount, *names = OLDER_GROUPS if controllers else GROUPS
        group = root / mount / path.lstrip("/")
        # a container sees its own group as the root, whatever it is called outside
        for at in (group, *group.parents):
            if at.is_relative_to(root / mount):
                yield from _left_to(at, *names)


def _left_to(group: Path, limit: str, use: str, begins: str) -> Iterator[int]:
    most, used = _read(group / limit).strip(), _read(group / use).strip()
    if most.isdecimal() and used.isdecimal():
        counted = _numbers(group / "memory.stat")
        files = sum(counted.get(f"{begins}{age}_file", 0) for age in ("active", "inactive"))
        yield int(most) - int(used) + files


def _numbers(file: Path) -> Mapping[str, int]:
    """Return the numbers of a file that has a name and a number in every line."""
    lines = (line.split() for line in _read(file).splitlines())
    return {line[0]: int(line[1]) for line in lines if len(line) > 1 and line[1].isdecimal()}


def _read(file: Path) -> str:
    try:
        return file.read_text()
    except OSError:  # there is none, or it is not ours to read
        return ""


def check_room(what: str, size: int, device: torch.device | str, remedy: str) -> None:
    """Refuse what a device has no memory for.

    Args:
        what: is kept, in the plural.
        size: in bytes.

    Raises:
        RuntimeError: if it has not that much in all.
    """
    if size > memory_of(device):
        raise no_room(what, size, device, remedy)


def no_room(what: str, size: int, device: torch.device | str, remedy: str) -> RuntimeError:
    """Return the error that says how much is needed, and how much there is."""
    there = memory_of(device)
    known = "" if there == sys.maxsize else f" (it has {there / GIB:.2f} GiB)"
    return RuntimeError(
        f"{what} need {size / GIB:.2f} GiB, which {device} does not have{known}; {remedy}"
    )


def send(x: Tensor, device: torch.device | str) -> Tensor:
    """Copy a tensor of the CPU to a device, without waiting for what the device is doing.

    CUDA has read ordinary memory when the call returns, so that it may be freed; of other devices
    this is not known, and they are waited for.
    """
    return x.to(device, non_blocking=torch.device(device).type in NOT_WAITED_FOR)


# on the second there is nothing to wait for
NOT_WAITED_FOR = ("cuda", "meta")


def _available() -> list[str]:
    here = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "xpu": torch.xpu.is_available(),
    }
    return [*(name for name, there in here.items() if there), "cpu"]
