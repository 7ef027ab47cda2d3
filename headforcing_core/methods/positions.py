"""Where RoPE is told a kept frame stands. Arithmetic on frame numbers; no tensors."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum

from ..video import Chunk
from .pages import Kind, Page


class PositionRule(Enum):
    """The position of what is kept, seen from the current chunk.

    RoPE sees differences only, so the current chunk always stands at its own frame numbers and a
    rule says how far in front of it a kept frame stands. Recent frames never move.

        horizon 12; sink 0 1, middle 5 8, recent 12 13 14; current 15 16 17
        ABSOLUTE     0  1  5  8 12 13 14    its own frame number: distances grow with the video
        CONTIGUOUS   8  9 10 11 12 13 14    closed up: no distance beyond the frames read
        SPREAD       6  7  8 11 12 13 14    the sink as far as the horizon reaches, the middle even
        CLAMPED      6  6  6  8 12 13 14    its own number, but never beyond the horizon
        SYNCED       one place for sink and middle, a horizon before each query frame

    SYNCED lets blocks stand at their middle frame; BLOCKS_SYNCED puts them where the others are;
    CHUNK_SYNCED gives all frames of a chunk what its last one gets, for a third of the work.

    Source: ABSOLUTE is Self-Forcing (arXiv 2506.08009); CONTIGUOUS, SPREAD and CLAMPED are readings
    of the head-wise RoPE re-encoding of Head Forcing (arXiv 2605.14487), whose text was not at
    hand; SYNCED is Pyramid Forcing (arXiv 2605.13111).
    """

    ABSOLUTE = "absolute"
    CONTIGUOUS = "contiguous"
    SPREAD = "spread"
    CLAMPED = "true_clamp"
    SYNCED = "synced"
    BLOCKS_SYNCED = "blocks_synced"
    CHUNK_SYNCED = "chunk_synced"

    @property
    def re_encodes(self) -> bool:
        """Whether kept frames move as the video grows."""
        return self is not PositionRule.ABSOLUTE

    @property
    def per_frame(self) -> bool:
        """Whether the query frames of a chunk see different positions."""
        return self in (PositionRule.SYNCED, PositionRule.BLOCKS_SYNCED)

    @property
    def sets_apart(self) -> bool:
        """Whether a first frame stands elsewhere as long as it is recent."""
        return self.per_frame or self is PositionRule.CHUNK_SYNCED

    def check(self, seen: int, horizon: int) -> None:
        """Refuse a head that sees more frames than there are positions for them.

        Raises:
            ValueError: if ``seen`` frames, the current chunk included, exceed ``horizon``.
        """
        if self in (PositionRule.CONTIGUOUS, PositionRule.SPREAD) and seen > horizon:
            raise ValueError(
                f"a head may see at most horizon={horizon} frames when positions are re-encoded, "
                f"got {seen}; shrink the window"
            )

    def place(
        self,
        sink: Sequence[Page],
        middle: Sequence[Page],
        recent: Sequence[Page],
        chunk: Chunk,
        horizon: int,
        frame: int,
    ) -> dict[Page, int]:
        """Return the position of each kept page for one query frame of the open chunk.

        Args:
            sink, middle, recent: each oldest first.
            horizon: temporal range the model was trained on.
            frame: of the query.
        """
        moving = (*sink, *middle)
        own = {page: page.at for page in (*moving, *recent)}
        begin = max(0, chunk.stop - horizon)
        match self:
            case PositionRule.ABSOLUTE:
                return own
            case PositionRule.CONTIGUOUS:
                first = chunk.start - len(own)
                # a mean may hold later frames than are recent, while those are computed again
                in_order = [*sorted(moving, key=lambda page: page.at), *recent]
                return {page: first + i for i, page in enumerate(in_order)}
            case PositionRule.SPREAD:
                end = recent[0].at if recent else chunk.start
                gap = range(begin + len(sink), end)
                places = [*range(begin, gap.start), *_spread(gap, len(middle))]
                return own | dict(zip(moving, places, strict=True))
            case PositionRule.CLAMPED:
                return {page: max(at, begin) for page, at in own.items()}
            case PositionRule.CHUNK_SYNCED:
                frame = chunk.stop - 1
        together = max(0, frame - horizon)
        stays = () if self is PositionRule.BLOCKS_SYNCED else (Kind.BLOCK,)
        return own | {page: together for page in moving if page.kind not in stays}


def _spread(places: range, count: int) -> list[int]:
    """Choose ``count`` of the places, first and last among them, as evenly as whole numbers let."""
    step = (len(places) - 1) / max(1, count - 1)
    return [places.start + round(i * step) for i in range(count)]
