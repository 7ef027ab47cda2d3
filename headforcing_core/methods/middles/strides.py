"""Every so many frames: the middles of Pyramid Forcing.

Source: Pyramid Forcing (arXiv 2605.13111) and its published code (IF-LAB-PKU/Pyramid-Forcing).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ...bounds import check_frames, check_within
from ..pages import Commit, Kind, Page, frame_page
from .middle import MOST_POOLED, Middle


@dataclass(frozen=True)
class Stride(Middle):
    """Frames whose number is a multiple of ``period``, the last ``count`` of them.

    period=6, count=4 after frame 40:   ... [18] ... [24] ... [30] ... [36] ...
    """

    period: int = 6
    count: int = 4

    def __post_init__(self) -> None:
        check_frames("period", self.period, 1)
        check_frames("count", self.count, 1)

    def fitted(self, past: int, frames: int) -> Stride:
        return replace(self, count=_most(self.count, past, self.period))

    @property
    def slots(self) -> int:
        return self.count

    def take(
        self, held: tuple[Page, ...], leaving: Sequence[int], event: Commit
    ) -> tuple[Page, ...]:
        new = [frame_page(frame) for frame in leaving if frame % self.period == 0]
        return (*held, *new)[-self.count :]


@dataclass(frozen=True)
class Cyclic(Middle):
    """All of the last ``period * count`` frames, of which a query frame reads those in its phase.

    period=6, count=4, query frame 40:   reads 16, 22, 28, 34
    """

    period: int = 6
    count: int = 4

    def __post_init__(self) -> None:
        check_frames("period", self.period, 1)
        check_frames("count", self.count, 1)

    def fitted(self, past: int, frames: int) -> Cyclic:
        # no two frames are a video apart: a longer period has as little in phase
        period = min(self.period, max(1, frames))
        return replace(self, period=period, count=_most(self.count, past, period))

    @property
    def front(self) -> int:
        return self.count

    @property
    def kept_aside(self) -> int:
        return self.period * self.count

    @property
    def per_frame(self) -> bool:
        return True

    def take(
        self, held: tuple[Page, ...], leaving: Sequence[int], event: Commit
    ) -> tuple[Page, ...]:
        new = [Page(Kind.COPY, (frame,), frame) for frame in leaving]
        return (*held, *new)[-self.kept_aside :]

    def aside(self, held: tuple[Page, ...]) -> tuple[Page, ...]:
        return held

    def read(self, held: tuple[Page, ...], frame: int) -> tuple[Page, ...]:
        in_phase = [page for page in held if page.at % self.period == frame % self.period]
        return tuple(in_phase[-self.count :])


@dataclass(frozen=True)
class Blocks(Middle):
    """Means over ``frames`` neighbouring frames and ``pool`` x ``pool`` tokens, the last ``count``.

    A block begins at a multiple of ``frames``; a frame waits with its tokens pooled until its block
    is full, and a block that lacks a frame is never made. It stands at the (lower) middle one of
    its frames, its tokens at the corner of what they are the mean of. One that was made is not made
    again when the past is recomputed.

    Args:
        frames: of a block.
        pool: tokens in a row, and in a column, of which one is left.
        count: blocks kept.
    """

    frames: int = 4
    pool: int = 2
    count: int = 4

    def __post_init__(self) -> None:
        check_frames("frames", self.frames, 1)
        check_frames("count", self.count, 1)
        check_within("pool", self.pool, 1, MOST_POOLED)

    def fitted(self, past: int, frames: int) -> Blocks:
        # a block that is longer than the past is never full
        most = min(self.frames, max(0, past) + 1)
        return replace(self, frames=most, count=min(self.count, max(1, past // most)))

    @property
    def front(self) -> int:
        return self.count

    @property
    def kept_aside(self) -> int:
        return self.count + self.frames - 1

    @property
    def pool_size(self) -> int:
        return self.pool

    def aside(self, held: tuple[Page, ...]) -> tuple[Page, ...]:
        return held

    def take(
        self, held: tuple[Page, ...], leaving: Sequence[int], event: Commit
    ) -> tuple[Page, ...]:
        blocks = [page for page in held if page.kind is Kind.BLOCK]
        waiting = [page.at for page in held if page.kind is Kind.POOLED]
        made = max((block.frames[-1] for block in blocks), default=-1)
        for frame in (frame for frame in leaving if frame > made):
            first = frame - frame % self.frames
            waiting = [f for f in (*waiting, frame) if f >= first]
            if len(waiting) == self.frames:
                blocks.append(Page(Kind.BLOCK, tuple(waiting), first + (self.frames - 1) // 2))
                waiting = []
        return (*blocks[-self.count :], *(Page(Kind.POOLED, (f,), f) for f in waiting))

    def read(self, held: tuple[Page, ...], frame: int) -> tuple[Page, ...]:
        return tuple(page for page in held if page.kind is Kind.BLOCK)

    def rewind(self, held: tuple[Page, ...], start: int) -> tuple[Page, ...]:
        return tuple(page for page in held if page.kind is Kind.BLOCK or page.at < start)


def _most(count: int, past: int, period: int) -> int:
    """Return how many of ``count`` frames, a period apart, there can be; at least one."""
    return min(count, max(1, -(-past // period)))
