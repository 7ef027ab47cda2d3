"""Whether Triton runs on a machine; imports none of it itself."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from subprocess import SubprocessError
from types import ModuleType

import torch
from torch import Tensor

LOG = logging.getLogger("headforcing")
OLDEST_TRITON = (3, 4)
OLDEST_CARD = (8, 0)
# A compiler, a linker and a driver are run, and what they raise differs from version to version.
# Triton's own errors are added where it may be imported.
FAILURES = (
    *(ImportError, OSError, RuntimeError, SubprocessError, AssertionError),
    *(AttributeError, TypeError, ValueError, LookupError),
)


def triton_file(package: str) -> ModuleType:
    """Import the Triton file of an operator.

    Args:
        package: of the operator, its ``__package__``.

    Raises:
        RuntimeError: if the package triton is not installed.
    """
    if not _installed():
        raise RuntimeError(
            "impl must be another one where the package triton is missing, got triton; "
            "install it, or leave impl to None"
        )
    return import_module(".triton_kernel", package)


def chooses_triton(package: str, call: tuple, on: tuple) -> bool:
    """Say whether an operator's Triton file does a call on this machine.

    Args:
        call: what the file's ``refusal`` takes.
        on: what its ``works`` takes, first the device.
    """
    device: torch.device = on[0]
    if device.type != "cuda" or torch.version.hip is not None:
        return False
    if not _installed() or not _imports(package):
        return False
    file = triton_file(package)
    return file.refusal(*call) is None and file.works(*on)


def plain_refusal(
    x: Tensor, dtypes: Sequence[torch.dtype], version: str, interpreted: bool
) -> Exception | None:
    """Return why a kernel does not take such tensors where they are, None if it does.

    Args:
        dtypes: that the kernel takes.
        version: of the Triton that is installed.
        interpreted: by Triton's interpreter, which takes any device.
    """
    machine = machine_refusal(x.device, version, interpreted)
    if machine is None and x.dtype not in dtypes:
        taken = ", ".join(str(dtype) for dtype in dtypes)
        return ValueError(f"impl must be another one for {x.dtype}, got triton; it takes {taken}")
    return machine


def machine_refusal(device: torch.device, version: str, interpreted: bool) -> RuntimeError | None:
    """Return why no kernel runs on a device, None if kernels do; see ``plain_refusal``."""
    if tuple(map(int, version.split(".")[:2])) < OLDEST_TRITON:
        oldest = ".".join(map(str, OLDEST_TRITON))
        return RuntimeError(
            f"impl must be another one with triton before {oldest}, got triton {version}; update it"
        )
    if interpreted:
        return None
    if device.type != "cuda":
        return RuntimeError(f"impl must be another one on {device}, got triton; it needs a GPU")
    if torch.version.hip is None and torch.cuda.get_device_capability(device) < OLDEST_CARD:
        name = torch.cuda.get_device_name(device)
        return RuntimeError(f"impl must be another one on {name}, got triton; it needs sm_80")
    return None


def on_card(device: torch.device) -> AbstractContextManager:
    """Make a GPU the current one, as Triton's launches want it."""
    return torch.cuda.device(device) if device.type == "cuda" else nullcontext()


def capability_of(device: torch.device) -> tuple[int, int] | None:
    """Return the compute capability of an NVIDIA card, None for all else."""
    if device.type != "cuda" or torch.version.hip is not None:
        return None
    return torch.cuda.get_device_capability(device)


def passes(
    what: str, check: Callable[[], bool], errors: tuple[type[Exception], ...] = FAILURES
) -> bool:
    """Run a check of a kernel; if it fails, warn and say False.

    Callers keep the answer, so that there is one check and one warning.
    """
    try:
        reason = None if check() else "its result is wrong"
    except errors as error:
        lines = str(error).strip().splitlines() or ["without a message"]
        reason = f"{type(error).__name__}, {lines[-1]}"
    if reason:
        LOG.warning("Triton is not used for %s, PyTorch is: %s", what, reason)
    return reason is None


@cache
def _installed() -> bool:
    return find_spec("triton") is not None


@cache
def _imports(package: str) -> bool:
    return passes(package, lambda: triton_file(package) is not None)
