"""A ComfyUI on this machine: where it is, and how old."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from .machine import Host

PAGE = "comfyui-frontend-package"
# as people, ComfyUI's portable build and its desktop app lay them out
PYTHONS = (
    *("venv/bin/python", ".venv/bin/python", "venv/Scripts/python.exe"),
    *(".venv/Scripts/python.exe", "python_embeded/python.exe"),
)
NAME = re.compile(r'^name\s*=\s*"headforcing"', re.MULTILINE)


def find_host(named: str | None, pack: Path) -> Host | None:
    """Return the ComfyUI that is named, around this pack, or in its usual place.

    Args:
        pack: the folder of this pack.

    Raises:
        ValueError: if one is named and is not there.
    """
    if named is not None and not _is_host(Path(named)):
        raise ValueError(f"--comfyui must be a folder of ComfyUI, with its main.py, got {named}")
    for folder in [Path(named)] if named else _places(pack):
        if _is_host(folder):
            return look_at(folder)
    return None


def look_at(folder: Path) -> Host:
    """Read what a ComfyUI says of itself; nothing of it is run."""
    python = next((p for p in _pythons(folder) if p.is_file()), None)
    wanted = re.search(rf"^{PAGE}\s*==\s*(\S+)", _text(folder / "requirements.txt"), re.MULTILINE)
    return Host(
        str(folder),
        _version(folder),
        _page(python),
        wanted and wanted[1],
        python and str(python),
        tuple(str(pack) for pack in _packs(folder)),
    )


def _places(pack: Path) -> Iterator[Path]:
    # what the machine says, as a person has set it up
    if named := os.environ.get("COMFYUI_PATH"):
        yield Path(named)
    for folder in dict.fromkeys((pack, pack.absolute(), pack.resolve())):
        if folder.parent.name == "custom_nodes":
            yield folder.parents[1]
    yield from (Path.cwd(), *Path.cwd().parents)
    try:
        yield Path.home() / "comfy" / "ComfyUI"
    except RuntimeError:  # nobody's home is known
        return


def _is_host(folder: Path) -> bool:
    return (folder / "main.py").is_file() and (folder / "custom_nodes").is_dir()


def _version(folder: Path) -> str | None:
    said = re.search(r'^__version__\s*=\s*"([^"]+)"', _text(folder / "comfyui_version.py"), re.M)
    said = said or re.search(r'^version\s*=\s*"([^"]+)"', _text(folder / "pyproject.toml"), re.M)
    return said and said[1]


def _pythons(folder: Path) -> Iterator[Path]:
    for around in (folder, folder.parent):
        yield from (around / name for name in PYTHONS)


def _page(python: Path | None) -> str | None:
    """Return the version of the page in a Python, in ours if the host has none of its own."""
    if python is None:
        try:
            return version(PAGE)
        except PackageNotFoundError:
            return None
    home, name = python.parent.parent, PAGE.replace("-", "_")
    pattern = f"site-packages/{name}-*.dist-info"
    places = [*home.glob(f"lib/python*/{pattern}"), *home.glob(f"Lib/{pattern}")]
    places += python.parent.glob(f"Lib/{pattern}")
    return next((place.stem.rpartition("-")[2] for place in sorted(places)), None)


def _packs(folder: Path) -> Iterator[Path]:
    try:
        there = sorted((folder / "custom_nodes").iterdir())
    except OSError:
        return
    for pack in there:
        if not pack.name.endswith(".disabled") and NAME.search(_text(pack / "pyproject.toml")):
            yield pack


def _text(file: Path) -> str:
    try:
        return file.read_text("utf-8", "replace")
    except OSError:  # there is none, or it is not ours to read
        return ""
