"""Single tokens that are still looked at, out of many frames.

Source: Deep Forcing (its published code and paper).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ...bounds import check_frames
from ...files import shown
from ..pages import Commit, Kind, Page, frame_page
from .middle import Middle


@dataclass(frozen=True)
class Tokens(Middle):
    """Frames as long as there is room, then of all of them the tokens that are looked at most.

    A token's score is its key times the sum of all queries of the chunk that was committed last,
    over all heads of the layer: they keep the same tokens.

    Args:
        room: pages held before they are thinned out.
        count: pages, each of as many tokens as a frame, that are left then.
    """

    room: int = 7
    count: int = 2

    def __post_init__(self) -> None:
        check_frames("room", self.room)
        if not 1 <= self.count <= self.room:
            raise ValueError(f"count must be 1 to room={self.room}, got {shown(self.count)}")

    def fitted(self, past: int, frames: int) -> Tokens:
        room = min(self.room, max(1, past))
        return replace(self, room=room, count=min(self.count, room))

    @property
    def slots(self) -> int:
        return self.room

    def take(
        self, held: tuple[Page, ...], leaving: Sequence[int], event: Commit
    ) -> tuple[Page, ...]:
        known = max((page.frames[-1] for page in held), default=-1)
        pages = (*held, *(frame_page(frame) for frame in leaving if frame > known))
        if len(pages) <= self.room:
            return pages
        frames = range(pages[0].frames[0], pages[-1].frames[-1] + 1)
        return tuple(
            Page(Kind.TOKENS, frames, frames[-1], number=number) for number in range(self.count)
        )

    def rewind(self, held: tuple[Page, ...], start: int) -> tuple[Page, ...]:
        return tuple(page for page in held if page.kind is Kind.TOKENS or page.at < start)
