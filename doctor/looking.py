"""Looking at this machine. PyTorch and what needs it are met with care."""

from __future__ import annotations

import logging
import os
import platform
import shutil
import sys
import tempfile
from pathlib import Path

from . import packages
from .comfyui import find_host
from .machine import BROKEN, Build, Card, Machine, Place, Use

PACK = Path(__file__).parents[1]
# where an NVIDIA driver says that it is there
DRIVER = Path("/proc/driver/nvidia/version")
TOOL = "nvidia-smi"


def look(out: str, comfyui: str | None) -> Machine:
    """Return what this machine has.

    Args:
        out: the folder that videos go to.
        comfyui: the folder of a ComfyUI, None looks for one.

    Raises:
        ValueError: if ``comfyui`` is none.
    """
    host = find_host(comfyui, PACK)
    there = packages.found()
    return Machine(
        python=sys.version_info[:3],
        system=f"{platform.system()} {platform.release()}, {platform.machine()}",
        nvidia=DRIVER.exists() or shutil.which(TOOL) is not None,
        memory=_memory(),
        place=place_of(Path(out)),
        pack=str(PACK),
        packages=there,
        build=_build() if there["torch"].works else None,
        host=host,
    )


def place_of(folder: Path) -> Place:
    """Say whether a folder, or the one it would be made in, can be written to."""
    there = next(p for p in (folder.absolute(), *folder.absolute().parents) if p.exists())
    try:
        free = shutil.disk_usage(there).free
        with tempfile.TemporaryFile(dir=there) as file:
            file.write(b"headforcing")
    except OSError as error:
        return Place(str(folder), error=error.strerror or str(error))
    return Place(str(folder), free)


def _memory() -> int | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # Windows, and systems that do not say
        return None


def _build() -> Build | None:
    try:
        import torch

        return build_of(torch)
    except BROKEN:
        return None


def build_of(torch: object) -> Build:
    """Return what a torch was built for, and its cards."""
    hip = torch.version.hip
    cards = []
    if torch.cuda.is_available():
        for number in range(torch.cuda.device_count()):
            about = torch.cuda.get_device_properties(number)
            capability = None if hip else (about.major, about.minor)
            try:
                free = torch.cuda.mem_get_info(number)[0]
            except BROKEN:
                free = None
            cards.append(Card(about.name, capability, about.total_memory, free))
    mps, xpu = torch.backends.mps.is_available(), torch.xpu.is_available()
    return Build(torch.version.cuda, hip, mps, xpu, tuple(cards))


class Warnings(logging.Handler):
    """Keeps what the pack's log warns of."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.said.append(record.getMessage())


def use_on(machine: Machine) -> Use:
    """Return what will be used on a machine that is this one; asks the code that uses it."""
    if machine.build is None:
        return Use(error="PyTorch cannot be imported")
    heard, log = Warnings(), logging.getLogger("headforcing")
    log.addHandler(heard)
    try:
        from .using import use

        return use(machine.packages["triton"].version, heard.said)
    except BROKEN as error:
        return Use(error=f"{type(error).__name__}: {' '.join(str(error).split())}")
    finally:
        log.removeHandler(heard)
