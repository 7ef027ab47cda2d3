"""The parts of the last frames that change most.

Source: Forcing-KV (its published code, commit 50ac1f4).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ..pages import Commit, Kind, Page
from .middle import Middle


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
        if self.pieces < 1 or self.scored_in < 0 or self.first_chunk < 0:
            raise ValueError(
                "bands must be at least 1, scored_in and first_chunk at least 0, "
                f"got {self.pieces}, {self.scored_in} and {self.first_chunk}"
            )

    @property
    def pieces(self) -> int:
        return 6 if self.bands is None else self.bands

    def _nearest(self, tokens: int) -> int:
        return min(
            (n for n in range(1, tokens + 1) if tokens % n == 0),
            key=lambda n: (abs(n - self.pieces), n),
        )

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
