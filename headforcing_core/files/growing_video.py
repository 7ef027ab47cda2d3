"""A video that plays while it grows, whatever becomes of the program."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from contextlib import suppress
from itertools import chain
from pathlib import Path


class GrowingVideo:
    """A file of clips, which plays up to the last of them.

    Where the disk is full, what comes next waits in memory until there is room.

    Args:
        path: what is there already stays as far as it is the same.
        head: what it begins with, see ``ClipMaker``.
        clips: those there are already.

    Raises:
        OSError: if the file cannot be opened.
    """

    def __init__(self, path: Path, head: bytes, clips: Iterable[bytes] = ()):
        self.path = path
        path.touch()
        self._file = path.open("r+b", buffering=0)
        # of what is written well: a write that fails may leave a part of itself
        self._good = 0
        self._waiting: list[bytes] = []
        # what an earlier run has written of it may stay: there may be no room for it twice
        for piece in chain([head], clips):
            if self._waiting or not self._has(piece):
                self._waiting.append(piece)
            else:
                self._good += len(piece)
        self._file.truncate(self._good)
        with suppress(OSError):  # tried again with the next clip
            self.save()

    @property
    def in_place(self) -> bool:
        """Whether the file is still where it was begun."""
        try:
            return os.path.samestat(os.fstat(self._file.fileno()), self.path.stat())
        except OSError:
            return False

    @property
    def waits(self) -> bool:
        return bool(self._waiting)

    def append(self, clip: bytes) -> None:
        """Append a clip.

        Raises:
            OSError: if the disk is full; it waits in memory.
        """
        self._waiting.append(clip)
        self.save()

    def save(self) -> None:
        """Write what waits.

        Raises:
            OSError: if the disk is full, still.
        """
        while self._waiting:
            clip = self._waiting[0]
            self._file.seek(self._good)
            try:
                self._write(clip)
            except OSError:
                self._file.truncate(self._good)
                raise
            self._good += len(clip)
            self._waiting.pop(0)

    def copy_to(self, path: Path) -> None:
        """Write the video to another place, with what has not found room in its own.

        Raises:
            OSError: if there is no room, either.
        """
        self._file.seek(0)
        with path.open("wb") as copy:
            shutil.copyfileobj(self._file, copy)
            copy.truncate(self._good)
            copy.seek(self._good)
            for clip in self._waiting:
                copy.write(clip)

    def close(self) -> None:
        """Close the file, which stays."""
        self._file.close()

    def _has(self, piece: bytes) -> bool:
        """Tell whether the file goes on with a piece."""
        self._file.seek(self._good)
        return self._file.read(len(piece)) == piece

    def _write(self, clip: bytes) -> None:
        left = memoryview(clip)
        while left:
            left = left[self._file.write(left) :]
