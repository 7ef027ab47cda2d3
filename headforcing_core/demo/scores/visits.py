"""When grounds and things come and go in the stories that methods are compared on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class Visit(NamedTuple):
    """A stretch of the story in which grounds take turns.

    start: its first frame.
    ground: which of the trial's tints.
    whole: the first thing is there.
    """

    start: int
    ground: int
    whole: bool = False


# Grounds are away for 24, 42 and 66 frames within 30 s, then for 36 to 84, and for 186; the first
# thing for 66 and 84. Between two visits of one there is at least one other, and all but the first
# are first seen where no sink is.
VISITS = (
    *(Visit(0, 0, whole=True), Visit(18, 1), Visit(30, 2), Visit(42, 3)),
    *(Visit(72, 1), Visit(84, 0, whole=True), Visit(96, 3)),
    *(Visit(120, 1), Visit(180, 0, whole=True), Visit(192, 3), Visit(216, 1), Visit(228, 2)),
)
# frames between two that are kept of one visit; the first of them stands at its end
RIGHT_STEP = 3


def right_frames(count: int) -> tuple[int, ...]:
    """Return what a good memory has: as many frames of every ground's first visit, ascending.

    The grounds that are seen first have one more where they cannot have alike; the latest frames
    of a visit come first, for the change of grounds is over there.
    """
    ends = [visit.start for visit in VISITS[1:]]
    first = [range(visit.start, end) for visit, end in zip(VISITS, ends, strict=False)]
    first = [span for span, visit in zip(first, VISITS, strict=False) if _is_first(visit)]
    by_ground = [span[-2::-RIGHT_STEP] for span in first]
    in_turn = [
        frames[turn]
        for turn in range(max(map(len, by_ground)))
        for frames in by_ground
        if turn < len(frames)
    ]
    return tuple(sorted(in_turn[:count]))


def _is_first(visit: Visit) -> bool:
    return next(v for v in VISITS if v.ground == visit.ground) == visit


class Back(NamedTuple):
    """Something that comes back. Units: frames.

    visit: number of the visit in which it does.
    seen: number of the one in which it was seen last.
    """

    visit: int
    seen: int

    @property
    def away(self) -> int:
        """How long it was away."""
        return VISITS[self.visit].start - VISITS[self.seen + 1].start


def _backs(kinds: Sequence[int], shown: Sequence[bool]) -> tuple[Back, ...]:
    """Return what comes back of visits, each of a kind, that show something or do not."""
    found = []
    for visit, kind in enumerate(kinds):
        before = [n for n in range(visit) if kinds[n] == kind and shown[n]]
        if shown[visit] and before and before[-1] < visit - 1:
            found.append(Back(visit, before[-1]))
    return tuple(found)


GROUNDS_BACK = _backs([visit.ground for visit in VISITS], [True] * len(VISITS))
THINGS_BACK = _backs([0] * len(VISITS), [visit.whole for visit in VISITS])
# frames in which a shade is looked at: the last before it goes, the first when it is back
LOOKED_AT = 6
# frames of a video in which something comes back and is looked at
FIRST_RETURN = VISITS[GROUNDS_BACK[0].visit].start + LOOKED_AT
