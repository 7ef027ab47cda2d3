"""The parts of the last frames that change most.

Source: Forcing-KV (its published code, commit 50ac1f4).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import isqrt

from ...bounds import MOST_FRAMES, check_within
from ..pages import Commit, Kind, Page
from .middle import Middle

# a score each, told to the policy whenever a frame leaves
MOST_BANDS = 65_536
# more than any model has
MOST_LAYERS = 1024


@dataclass(frozen=True)
class Bands(Middle):
    """As many tokens as a frame has, out of those that leave: bands least like the next frame.

    A frame is cut into ``bands`` equal runs of tokens. Only what left last is kept.

    Args:
        bands: of a frame; must divide its tokens. None: 6, as its code has it, or the nearest
            number that divides them.
        scored_in: layer whose keys decide for all layers.
        first_chunk: number of the first chunk whose commit fills it.
    """

    bands: int | None = None
    scored_in: int = 1
    first_chunk: int = 2

    def __post_init__(self) -> None:
        check_within("bands", self.pieces, 1, MOST_BANDS)
        check_within("scored_in", self.scored_in, 0, MOST_LAYERS)
        check_within("first_chunk", self.first_chunk, 0, MOST_FRAMES)

    @property
    def pieces(self) -> int:
        return 6 if self.bands is None else self.bands

    def _nearest(self, tokens: int) -> int:
        small = [n for n in range(1, isqrt(tokens) + 1) if tokens % n == 0]
        divisors = [*small, *(tokens // n for n in small)]
        return min(divisors, key=lambda n: (abs(n - self.pieces), n))

    def on_grid(self, tokens: int) -> Bands:
        return replace(self, bands=self._nearest(tokens)) if self.bands is None else self

    def check(self, tokens: int) -> None:
        if tokens % self.pieces:
            raise ValueError(
                f"bands must divide the {tokens} tokens of a frame, got {self.pieces}; "
                f"the nearest is {self._nearest(tokens)}"
            )

    @property
    def slots(self) -> int:
        return 1

    @property
    def looks(self) -> bool:
        return True

    def take(
        self, held: tuple[Page, ...], leaving: Sequence[int], event: Commit
    ) -> tuple[Page, ...]:
        if event.chunk.index < self.first_chunk or not leaving:
            return held
        every = [(frame, band) for frame in leaving for band in range(self.pieces)]
        least = sorted(every, key=lambda piece: (event.bands[piece], piece))[: self.pieces]
        return (Page(Kind.BANDS, tuple(leaving), leaving[-1], tuple(sorted(least))),)
