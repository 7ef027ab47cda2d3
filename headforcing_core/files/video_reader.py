"""Pictures out of a video file, one after the other."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
import torch
from torch import Tensor

from .json_text import named

# longer sides are halved, or more, while they are read
LONGEST = 1664
# of a file that does not say
USUAL_FPS = 24.0
MOST_FPS = 1000


@dataclass(frozen=True)
class OpenVideo:
    """A video that is being read.

    Args:
        name: of it in messages.
        fps: pictures per second.
        expected: how many pictures there will be, as the file says; 0 if it does not.
    """

    name: str
    fps: float
    expected: int
    _container: object
    _stream: object

    def pictures(self, count: int, start: float = 0.0, seconds: float = 0.0) -> Iterator[Tensor]:
        """Yield ``[count, 3, Y, X]``, 0 to 1, of the last less; all in the size of the first.

        Args:
            start: second of the first picture.
            seconds: from there that are read; 0: to the end.

        Raises:
            ValueError: if the file breaks, or has fewer than two pictures.
        """
        read, size, group = 0, None, []
        for frame in self._frames():
            at = frame.time or 0.0
            if at < start:
                continue
            if seconds and at >= start + seconds:
                break
            size = size or _size(frame.width, frame.height)
            frame = frame.reformat(*size, format="rgb24", interpolation="AREA")
            group.append(frame.to_ndarray())
            read += 1
            if len(group) == count:
                yield _tensor(group)
                group = []
        if read < 2:
            raise ValueError(f"{self.name} must have at least two pictures, got {read}")
        if group:
            yield _tensor(group)

    def _frames(self) -> Iterator[object]:
        import av

        try:
            yield from self._container.decode(self._stream)
        except (av.FFmpegError, OSError) as error:
            raise _unreadable(self.name, error) from error


@contextmanager
def open_video(source: str | BinaryIO, name: str | None = None) -> Iterator[OpenVideo]:
    """Open a file, or what holds one, in any format that PyAV reads.

    Args:
        name: of it in messages; none: that of the file.

    Raises:
        ValueError: if it is no video, or one of sound alone.
    """
    import av  # here, so that what reads no video runs where PyAV is missing

    name = name or (named(source) if isinstance(source, str) else "a video")
    try:
        container = av.open(source)
    except (av.FFmpegError, OSError, ValueError) as error:
        raise _unreadable(name, error) from error
    with container:
        if not container.streams.video:
            raise ValueError(f"{name} must be a video with pictures, got one without any")
        stream = container.streams.video[0]
        rate = stream.average_rate or stream.guessed_rate
        fps = float(rate) if rate else USUAL_FPS
        if not 0 < fps <= MOST_FPS:
            raise ValueError(f"{name} must have at most {MOST_FPS} pictures per second, got {fps}")
        yield OpenVideo(name, fps, max(0, stream.frames), container, stream)


def _unreadable(name: str, error: Exception) -> ValueError:
    why = getattr(error, "strerror", None) or error
    return ValueError(f"{name} must be a video that can be read, got one that cannot ({why})")


def _size(width: int, height: int) -> tuple[int, int]:
    less = -(-max(width, height) // LONGEST)
    return max(1, width // less), max(1, height // less)


def _tensor(group: list[np.ndarray]) -> Tensor:
    return torch.from_numpy(np.stack(group)).movedim(-1, 1).float() / 255
