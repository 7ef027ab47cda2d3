"""Files that a job is made of, as they were when it was read."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from ..reel import latents_folder

# bytes of a file that are read at once
BLOCK = 1 << 20
# size and time of change of a file, or of each in a folder
Stamp = tuple[tuple[int, int], ...]


class Input(NamedTuple):
    """A file or folder.

    stamp: changes, as a rule, when its contents do, and is read at once.
    digest: tells the contents.
    """

    path: str
    stamp: Stamp
    digest: str


def latents_of(start: str | None) -> str | None:
    """Return the folder from which a video goes on that is started from; None: there is none."""
    if start is None or not (folder := latents_folder(Path(start))).is_dir():
        return None
    return str(folder)


def stamp_of(path: str) -> Stamp:
    """Return sizes and times of a file, or of those in a folder."""
    return tuple((f.stat().st_size, f.stat().st_mtime_ns) for f in _files(Path(path)))


def digest_of(path: str) -> str:
    """Return what tells the contents of a file, or of those in a folder with their names."""
    place, whole = Path(path), sha256()
    for file in _files(place):
        whole.update(f"{file.relative_to(place)}\n".encode())
        with file.open("rb") as opened:
            while block := opened.read(BLOCK):
                whole.update(block)
    return whole.hexdigest()


def _files(place: Path) -> list[Path]:
    if not place.is_dir():
        return [place]
    return [file for file in sorted(place.rglob("*")) if file.is_file()]
