"""First frames that only a window of several chunks reads.

Source: Rolling Forcing (arXiv 2509.25161) and its code (TencentARC/RollingForcing, commit a1477d0).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ...bounds import check_frames
from ..pages import Commit, Kind, Page
from .middle import Middle


@dataclass(frozen=True)
class Anchor(Middle):
    """The first frames, kept where no single chunk reads them.

    They help to denoise a window of chunks and are no part of what is remembered: the clean call
    of a chunk sees the last frames alone.

    Args:
        frames: first frames.
    """

    frames: int = 1

    def __post_init__(self) -> None:
        check_frames("frames", self.frames)

    @property
    def first(self) -> int:
        return self.frames

    @property
    def kept_aside(self) -> int:
        return self.frames

    def take(
        self, held: tuple[Page, ...], leaving: Sequence[int], event: Commit
    ) -> tuple[Page, ...]:
        known = {page.at for page in held}
        new = (f for f in leaving if f < self.frames and f not in known)
        return (*held, *(Page(Kind.COPY, (frame,), frame) for frame in new))

    def fitted(self, past: int, frames: int) -> Anchor:
        return Anchor(min(self.frames, past))

    def in_slots(self, held: tuple[Page, ...]) -> tuple[Page, ...]:
        return ()

    def aside(self, held: tuple[Page, ...]) -> tuple[Page, ...]:
        return held

    def read(self, held: tuple[Page, ...], frame: int) -> tuple[Page, ...]:
        return ()

    def ahead(self, held: tuple[Page, ...], frame: int) -> tuple[Page, ...]:
        return held
