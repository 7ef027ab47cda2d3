"""First frames that drift: each a running mean of what left in its place of the chunk.

Source: Reward Forcing (arXiv 2512.04678) and its code (JaydenLyh/Reward-Forcing, commit 4317f5a).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ...bounds import MOST_FRAMES, check_frames, check_within
from ..pages import Commit, Kind, Page
from .middle import Middle


@dataclass(frozen=True)
class MeanSink(Middle):
    """As many running means as a chunk has frames, token by token, of keys and of values.

    The first chunk to leave is what they begin as. Whenever another one leaves, the mean m of its
    n-th frames becomes keep m + (1 - keep) x. Means are held in float32: rounded to bfloat16 at
    every step, as the authors' code runs, they would hardly move (1.3 % of the way after 240
    chunks), which is a sink that stays and not what the paper describes.

    Args:
        frames: of a chunk.
        keep: of a mean, when frames leave.
    """

    frames: int = 1
    keep: float = 0.5

    def __post_init__(self) -> None:
        check_frames("frames", self.frames, 1)
        check_within("frames", self.frames, 1, MOST_FRAMES)
        if not 0 <= self.keep <= 1:
            raise ValueError(f"keep must be from 0 to 1, got {self.keep}")

    @property
    def slots(self) -> int:
        return self.frames

    @property
    def sums(self) -> int:
        return self.frames

    @property
    def sums_per_token(self) -> bool:
        return True

    @property
    def per_token(self) -> bool:
        """Each place in the picture has its own mean."""
        return True

    @property
    def rates(self) -> tuple[float, ...]:
        """By which each mean goes towards what leaves."""
        return (1 - self.keep,) * self.frames

    def fitted(self, past: int, frames: int) -> MeanSink:
        return self

    def take(
        self, held: tuple[Page, ...], leaving: Sequence[int], event: Commit
    ) -> tuple[Page, ...]:
        known = max((page.frames[-1] for page in held), default=-1)
        means = {page.number: page for page in held}
        for frame in leaving:
            if frame > known:
                number = frame % self.frames
                first = means[number].frames[0] if number in means else frame
                frames = range(first, frame + 1, self.frames)
                means[number] = Page(Kind.AVERAGE, frames, number, number=number)
        return tuple(means[number] for number in sorted(means))

    def rewind(self, held: tuple[Page, ...], start: int) -> tuple[Page, ...]:
        return held  # what went into a mean cannot be taken out of it
