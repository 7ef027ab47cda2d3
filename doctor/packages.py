"""What is installed, and whether it can be imported."""

from __future__ import annotations

import signal
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import PackageNotFoundError, version
from subprocess import DEVNULL, PIPE, SubprocessError, run
from tempfile import gettempdir

from .machine import Package

# name -> what installs it
NEEDED = {
    **{"numpy": "numpy", "safetensors": "safetensors", "einops": "einops", "PIL": "pillow"},
    **{"tqdm": "tqdm", "filelock": "filelock", "av": "av"},
}
OPTIONAL = {"sentencepiece": "sentencepiece", "diffusers": "diffusers", "matplotlib": "matplotlib"}
# other builds have other names, and the same module
TORCH = {"torch": "torch", "triton": "triton"}
OTHER_NAMES = {"triton": ("pytorch-triton", "pytorch-triton-rocm", "triton-windows")}
ALL = TORCH | NEEDED | OPTIONAL
# seconds; a first import reads gigabytes from a slow disk
PATIENCE = 300
AT_ONCE = 4
MISSING = "ModuleNotFoundError: No module named '{}'"


def found(names: Mapping[str, str] = ALL) -> dict[str, Package]:
    """Look at every package.

    Each is imported in a process of its own: a broken one may take its process with it.
    """
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return dict(zip(names, pool.map(_package, names, names.values()), strict=True))


def _package(name: str, project: str) -> Package:
    error = failure([sys.executable, "-c", f"import {name}"])
    if error == MISSING.format(name):
        return Package()
    return Package(_version((project, *OTHER_NAMES.get(name, ()))), error)


def _version(projects: Sequence[str]) -> str:
    for project in projects:
        try:
            # a damaged installation has a folder and nothing in it
            return version(project) or "of unknown version"
        except (PackageNotFoundError, KeyError, TypeError, ValueError):
            continue
    return "of unknown version"


def failure(command: Sequence[str]) -> str | None:
    """Run a command and return the last line of what went wrong, None if nothing did."""
    try:
        # elsewhere, so that a file of such a name in the current folder is not taken for it
        done = run(
            command, stdin=DEVNULL, stdout=DEVNULL, stderr=PIPE, cwd=gettempdir(), timeout=PATIENCE
        )
    except (OSError, SubprocessError) as error:
        return f"{type(error).__name__}: {error}"
    if done.returncode == 0:
        return None
    if done.returncode < 0:
        return f"its process ended with {_signal(-done.returncode)}"
    lines = done.stderr.decode("utf-8", "replace").strip().splitlines()
    return lines[-1] if lines else f"its process ended with status {done.returncode}"


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
