"""Which frames of the past a head keeps. Arithmetic on frame numbers; no tensors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class WindowPolicy:
    """Keep the first ``sink`` frames for ever and the last ``recent`` frames.

        sink=1, recent=3 after frame 8:   [0] 1 2 3 4 5 [6 7 8]

    Units: latent frames of the past; the chunk being denoised comes on top.
    """

    sink: int
    recent: int

    def __post_init__(self) -> None:
        if self.sink < 0 or self.recent < 0:
            raise ValueError(f"sink and recent must be >= 0, got {self.sink} and {self.recent}")

    @classmethod
    def of_window(cls, window: int, sink: int, frames_per_chunk: int) -> WindowPolicy:
        """Convert the field's window, which counts the sink and the current chunk.

        A window of the whole video keeps everything.

        Raises:
            ValueError: if sink and chunk leave no room.

        Source: Self-Forcing (arXiv 2506.08009), ``local_attn_size`` and ``sink_size``.
        """
        if window < sink + frames_per_chunk:
            raise ValueError(
                f"window must hold the sink and the current chunk, at least {sink} + "
                f"{frames_per_chunk} frames, got {window}"
            )
        return cls(sink, window - sink - frames_per_chunk)

    @property
    def capacity(self) -> int:
        return self.sink + self.recent

    def retain(self, frames: Sequence[int]) -> list[int]:
        """Return the members of ``frames`` (ascending) that stay cached."""
        newest = list(frames[max(0, len(frames) - self.recent) :])
        sink = [f for f in frames if f < self.sink and f not in newest]
        return [*sink, *newest]
