"""Types of heads that are told apart during the video itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..bounds import MOST_FRAMES, check_within

# of query rows: the largest chunk of the largest picture has no more
MOST_ROWS = 2**31 - 1
UNDECIDED, FIRST, LAST_CHUNK, LAST = "dummy.undecided", "dummy.a", "dummy.b", "dummy.c"


@dataclass(frozen=True)
class DummyTypes:
    """Dummy Forcing's rule: which heads can do without a past, and what the others look at.

    With p0 the attention on the first frame and p1 on all between it and the current chunk, each
    divided by its sum over all heads, the heads with the least max(p0, p1) see the last frame alone
    (C); of the others those with p0 >= p1 see the first frame (A), the rest the last chunk (B).

    Args:
        after_chunk: number of the chunk whose clean call decides.
        dummies: share of all heads that become C.
        every: one query row in so many is looked at; rows are evenly spread, where the original
            draws them.

    Source: Dummy Forcing (its code, commit 28128ed).
    """

    after_chunk: int = 1
    dummies: float = 0.5
    every: int = 9

    def __post_init__(self) -> None:
        check_within("after_chunk", self.after_chunk, 1, MOST_FRAMES)
        check_within("dummies", self.dummies, 0, 1)
        check_within("every", self.every, 1, MOST_ROWS)

    def decide(self, masses: Sequence[tuple[float, float]]) -> list[str]:
        """Return the type of every head.

        Args:
            masses: of every head, on the first frame and on those between it and the current chunk.
        """
        sums = [sum(column) or 1.0 for column in zip(*masses, strict=True)]
        scaled = [(first / sums[0], between / sums[1]) for first, between in masses]
        order = sorted(range(len(scaled)), key=lambda head: (max(scaled[head]), head))
        dummies = set(order[: round(self.dummies * len(scaled))])
        return [
            LAST if head in dummies else FIRST if first >= between else LAST_CHUNK
            for head, (first, between) in enumerate(scaled)
        ]
