"""Which latent frames are generated together, and in which order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ..bounds import MOST_FRAMES, check_frames
from ..files import shown


@dataclass(frozen=True)
class Chunk:
    """One autoregressive unit: latent frames ``start <= f < stop``, denoised together."""

    index: int
    start: int
    stop: int

    @property
    def frames(self) -> range:
        return range(self.start, self.stop)

    def __len__(self) -> int:
        return self.stop - self.start


@dataclass(frozen=True)
class ChunkClock:
    """Splits a video into chunks: one of ``first_chunk`` frames, then ``frames_per_chunk`` each.

    All counts are latent frames, never pixel frames.

    Args:
        total_frames: frames of the whole video.
        frames_per_chunk: what the model was trained to denoise together.
        first_chunk: frames of the first chunk, None for a first chunk like the others. Models that
            start from a single image have a first chunk of one frame.

    Raises:
        ValueError: if the video is not a whole number of chunks.
    """

    total_frames: int
    frames_per_chunk: int
    first_chunk: int | None = None

    def __post_init__(self) -> None:
        check_frames("frames_per_chunk", self.frames_per_chunk, 1)
        if not 1 <= self._first <= self.frames_per_chunk:
            raise ValueError(
                f"first_chunk must be 1 to frames_per_chunk={self.frames_per_chunk} frames, "
                f"got {shown(self._first)}"
            )
        # a longest video may end with a chunk that is only begun
        if self.total_frames > MOST_FRAMES + self.frames_per_chunk:
            check_frames("total_frames", self.total_frames)
        beyond = self.total_frames - self._first
        if beyond < 0 or beyond % self.frames_per_chunk:
            raise ValueError(
                f"total_frames must be {self._first} + a multiple of {self.frames_per_chunk}, "
                f"got {shown(self.total_frames)}"
            )

    @classmethod
    def covering(
        cls, frames: int, frames_per_chunk: int, first_chunk: int | None = None
    ) -> ChunkClock:
        """Return the shortest clock with these chunks and at least ``frames`` frames."""
        first = frames_per_chunk if first_chunk is None else first_chunk
        more = max(0, -(-(frames - first) // max(1, frames_per_chunk)))
        return cls(first + more * frames_per_chunk, frames_per_chunk, first_chunk)

    @property
    def _first(self) -> int:
        return self.frames_per_chunk if self.first_chunk is None else self.first_chunk

    def __len__(self) -> int:
        return 1 + (self.total_frames - self._first) // self.frames_per_chunk

    def __iter__(self) -> Iterator[Chunk]:
        start, stop = 0, self._first
        for index in range(len(self)):
            yield Chunk(index, start, stop)
            start, stop = stop, stop + self.frames_per_chunk
