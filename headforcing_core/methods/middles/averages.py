"""Running means of everything that left.

Source: MemRoPE (its published code, commit b89bf5b).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ...bounds import check_within
from ..pages import Commit, Kind, Page
from .middle import Middle

# each is folded anew in every layer whenever a frame leaves
MOST_RATES = 64


@dataclass(frozen=True)
class Averages(Middle):
    """Exponential running means of the keys and values of all frames that left, one per rate.

    Whenever frames leave, each mean m becomes (1 - rate) m + rate x, where x is their own mean; the
    first that leave are the first mean.

    Args:
        rates: slowest first, which is also the order they are read in.
        per_token: a mean for each place in the picture; else one for all of it.
    """

    rates: tuple[float, ...] = (0.01, 0.1)
    per_token: bool = False

    def __post_init__(self) -> None:
        check_within("the number of rates", len(self.rates), 1, MOST_RATES)
        for rate in self.rates:
            if not 0 < rate <= 1:
                raise ValueError(f"rates must be above 0 and at most 1, got {rate}")

    @property
    def slots(self) -> int:
        return len(self.rates)

    @property
    def sums(self) -> int:
        return len(self.rates)

    @property
    def sums_per_token(self) -> bool:
        return self.per_token

    def take(
        self, held: tuple[Page, ...], leaving: Sequence[int], event: Commit
    ) -> tuple[Page, ...]:
        known = held[0].frames if held else ()
        new = [frame for frame in leaving if not known or frame > known[-1]]
        if not new:
            return held
        frames = range(known[0] if known else new[0], new[-1] + 1)
        return tuple(
            Page(Kind.AVERAGE, frames, new[-1], number=number) for number in range(len(self.rates))
        )

    def rewind(self, held: tuple[Page, ...], start: int) -> tuple[Page, ...]:
        return held  # what went into a mean cannot be taken out of it
