"""First frames shown again and again as if they were the past.

Source: Rolling Sink (its published code, commit d7fc0d9).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ...bounds import check_frames
from ..pages import Commit, Kind, Page, frame_page
from .middle import Middle


@dataclass(frozen=True)
class Replay(Middle):
    """The first ``cycle`` frames, forwards and backwards in turns, in the places of later ones.

    cycle=4:   place  0 1 2 3 4 5 6 7 8 9 ...
               frame  0 1 2 3 3 2 1 0 0 1 ...

    Args:
        count: places read, those just before ``recent``.
        cycle: frames kept.
    """

    count: int = 15
    cycle: int = 18

    def __post_init__(self) -> None:
        check_frames("count", self.count, 1)
        check_frames("cycle", self.cycle, 1)

    def fitted(self, past: int, frames: int) -> Replay:
        # a cycle that is not yet over shows every frame in its own place
        most = max(1, past)
        return replace(self, count=min(self.count, most), cycle=min(self.cycle, most))

    @property
    def slots(self) -> int:
        return self.count

    @property
    def kept_aside(self) -> int:
        return self.cycle

    def take(
        self, held: tuple[Page, ...], leaving: Sequence[int], event: Commit
    ) -> tuple[Page, ...]:
        known = self.aside(held)
        new = [frame_page(frame) for frame in leaving if frame < self.cycle]
        kept = [*known, *(page for page in new if page not in known)]
        last = max([*(page.at for page in held), *leaving], default=-1)
        places = range(max(0, last + 1 - self.count), last + 1)
        # a frame that a new prompt had forgotten leaves its places empty
        shown = [(self.frame_at(at), at) for at in places]
        frames = {page.at for page in kept}
        copies = (Page(Kind.COPY, (frame,), at) for frame, at in shown if frame in frames)
        return (*kept, *copies)

    def in_slots(self, held: tuple[Page, ...]) -> tuple[Page, ...]:
        return tuple(page for page in held if page.kind is Kind.COPY)

    def aside(self, held: tuple[Page, ...]) -> tuple[Page, ...]:
        return tuple(page for page in held if page.kind is Kind.FRAME)

    def read(self, held: tuple[Page, ...], frame: int) -> tuple[Page, ...]:
        return self.in_slots(held)

    def frame_at(self, place: int) -> int:
        """Return the frame that is shown in a place."""
        round_, step = divmod(place, self.cycle)
        return self.cycle - 1 - step if round_ % 2 else step

    def rewind(self, held: tuple[Page, ...], start: int) -> tuple[Page, ...]:
        return tuple(page for page in held if page.at < start)
