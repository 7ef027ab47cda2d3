"""Frames that are named beforehand: what no rule can know, and the most that any can reach."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..pages import Commit, Page, frame_page
from .middle import Middle


@dataclass(frozen=True)
class Chosen(Middle):
    """Keep the frames that are named, for ever, from when they leave ``recent``.

    Args:
        frames: their numbers, ascending.
    """

    frames: tuple[int, ...] = ()

    @property
    def slots(self) -> int:
        return len(self.frames)

    def take(
        self, held: tuple[Page, ...], leaving: Sequence[int], event: Commit
    ) -> tuple[Page, ...]:
        known = {page.at for page in held}
        new = [f for f in leaving if f in self.frames and f not in known]
        return (*held, *(frame_page(frame) for frame in new))
