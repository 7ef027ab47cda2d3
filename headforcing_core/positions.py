"""Where RoPE is told a kept frame stands. Arithmetic on frame numbers; no tensors."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum

from .clock import Chunk


class PositionRule(Enum):
    """The position of a cached frame, seen from the current chunk.

    RoPE sees differences only, so the current chunk always stands at its own frame numbers and a
    rule says how far in front of it a kept frame stands.

        kept 0 1 2 . . . 6 7 8, current 9 10 11
        ABSOLUTE     0 1 2 . . . 6 7 8          its own frame number: distances grow with the video
        CONTIGUOUS   . . . 3 4 5 6 7 8          closed up: no distance beyond the frames read
    """

    ABSOLUTE = "absolute"
    CONTIGUOUS = "contiguous"

    @property
    def re_encodes(self) -> bool:
        """Whether kept frames move as the video grows."""
        return self is not PositionRule.ABSOLUTE

    def check(self, seen: int, horizon: int) -> None:
        """Refuse a head that sees more frames than the range positions are closed up into.

        Raises:
            ValueError: if ``seen`` frames, the current chunk included, exceed ``horizon``.
        """
        if self.re_encodes and seen > horizon:
            raise ValueError(
                f"a head may see at most horizon={horizon} frames when positions are re-encoded, "
                f"got {seen}; shrink the window"
            )

    def place(self, kept: Sequence[int], chunk: Chunk) -> dict[int, int]:
        """Return the position of each kept frame while ``chunk`` is denoised.

        Args:
            kept: cached frame numbers, ascending, all before ``chunk``.

        Source: absolute is Self-Forcing (arXiv 2506.08009); contiguous is the head-wise RoPE
        re-encoding of Head Forcing (arXiv 2605.14487), where LongLive's relative RoPE gives the
        same differences.
        """
        if not self.re_encodes:
            return {frame: frame for frame in kept}
        return {frame: chunk.start - len(kept) + i for i, frame in enumerate(kept)}
