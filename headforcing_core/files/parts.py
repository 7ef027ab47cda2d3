"""Finished parts of something long, on disk one by one, each with a checksum."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors.torch import save_file
from torch import Tensor

from .json_text import json_of, named
from .replaced import clear_leftovers, replacing
from .tensor_files import open_tensors

PART_SUFFIX = ".part"
ABOUT, CHECKSUM = "about", "sha256"


@dataclass(frozen=True)
class Part:
    """Tensors by name, and plain values about them."""

    tensors: Mapping[str, Tensor]
    about: Mapping[str, object]


class Written(NamedTuple):
    """Where a part is, and why it is in none of the folders before."""

    path: Path
    refused: tuple[str, ...]


@dataclass(frozen=True)
class Parts:
    """Where the parts of one thing are kept: in the first of some folders that has room.

    Args:
        folders: made when they are needed.
    """

    folders: Sequence[Path]

    def write(self, name: str, part: Part) -> Written:
        """Write a part whole or not at all; return where it is.

        Raises:
            OSError: if there is room nowhere; it says why.
        """
        failures = []
        for folder in self.folders:
            path = folder / f"{name}{PART_SUFFIX}"
            try:
                folder.mkdir(parents=True, exist_ok=True)
                write_part(path, part)
                return Written(path, tuple(failures))
            except OSError as error:
                failures.append(str(error))
        raise OSError("; ".join(failures))

    def read(self, name: str) -> Part | None:
        """Return a part, None if there is none.

        Raises:
            ValueError: if all there are of it are damaged.
        """
        damaged = None
        for path in self.paths(name):
            try:
                return read_part(path)
            except ValueError as error:
                damaged = error
        if damaged is not None:
            raise damaged
        return None

    def paths(self, name: str) -> list[Path]:
        """Return the files that hold a part."""
        places = (folder / f"{name}{PART_SUFFIX}" for folder in self.folders)
        return [path for path in places if path.is_file()]

    def names(self, beginning: str) -> set[str]:
        """Return the names of all parts that begin so."""
        files = (path for folder in self.folders for path in folder.glob(f"*{PART_SUFFIX}"))
        return {path.stem for path in files if path.name.startswith(beginning)}

    def remove(self, name: str) -> None:
        """Remove a part, if it is there.

        Raises:
            OSError: if it may not be removed.
        """
        for path in self.paths(name):
            path.unlink(missing_ok=True)


def refuges(name: str) -> list[Path]:
    """Return folders of that name where there may be room if the disk is full that is meant."""
    places = [Path(tempfile.gettempdir())]
    with suppress(RuntimeError):  # nobody's home
        places.append(Path.home())
    return [place / name for place in places]


def write_part(path: Path, part: Part) -> None:
    """Write one part whole or not at all.

    Raises:
        OSError: if the disk is full or the place is gone.
    """
    tensors = {name: tensor.contiguous() for name, tensor in part.tensors.items()}
    about = json.dumps(part.about)
    clear_leftovers(path)
    with replacing(path) as partial:
        save_file(tensors, partial, {ABOUT: about, CHECKSUM: _checksum(tensors, about)})


def read_part(path: Path) -> Part:
    """Read one part.

    Raises:
        ValueError: if it is damaged in whatever way.
    """
    source = open_tensors(path)
    about = source.metadata.get(ABOUT, "")
    tensors = {}
    for name in source.shapes:
        with source.reading(name) as stored:
            tensors[name] = stored.clone()
    if _checksum(tensors, about) != source.metadata.get(CHECKSUM):
        raise ValueError(f"{named(path)} must be as it was written, got other bytes")
    return Part(tensors, json_of(about))


def _checksum(tensors: Mapping[str, Tensor], about: str) -> str:
    digest = sha256(about.encode())
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {list(tensor.shape)} {tensor.dtype};".encode())
        digest.update(tensor.flatten().view(torch.uint8).numpy())
    return digest.hexdigest()
