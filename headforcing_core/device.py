"""Where a model runs, and how much room there is."""

from __future__ import annotations

import os
import sys

import torch
from torch import Tensor

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


def memory_of(device: torch.device | str) -> int:
    """Return the bytes of memory a device has in all; a huge number where it cannot be told."""
    device = torch.device(device)
    if device.type == "cuda":
        return torch.cuda.get_device_properties(device).total_memory
    # the CPU hands out memory it does not have and ends the process when it is used
    if device.type == "cpu" and hasattr(os, "sysconf"):
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return sys.maxsize


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
