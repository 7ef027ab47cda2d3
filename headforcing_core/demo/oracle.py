"""Which heads recall: ``python -m headforcing.headforcing_core.demo.oracle``.

Found by intervention, not by looking: in the stories of ``recall``, heads are kept from the frames
of what is to come back. Type maps and profiles can be held against it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from ..methods import HeadMap, HeadPolicy, HeadRule, Method, PositionRule
from .absence import AWAY, CHUNK, Absence
from .comparison import Compared
from .networks import CONFIG, DemoModel

SEES, BLIND = "oracle.sees", "oracle.blind"
SCHEME = "oracle"
LAYERS, HEADS = CONFIG.layers, CONFIG.heads
MOST_PROMPTS, MOST_FIRST = 10**5, 10**9
# the longest time away: there is nothing left of it in any window of as many frames
FAR = AWAY[-1]

Head = tuple[int, int]
EVERY_HEAD: tuple[Head, ...] = tuple((a, b) for a in range(LAYERS) for b in range(HEADS))


@dataclass(frozen=True)
class Carried:
    """What heads carry of one recollection. Errors are those of ``Recollection``.

    Args:
        all, none: where all heads see what was, and where none does.
        only: ``[L][H]`` where only this head does.
        without: ``[L][H]`` where all others do.
        order: heads, most needed first, as they are given sight one by one.
        given: error with as many of them, from one on.
    """

    all: float
    none: float
    only: list[list[float]]
    without: list[list[float]]
    order: list[Head]
    given: list[float]


def sighted(heads: Iterable[Head], frames: int, away: int) -> Compared:
    """Return the method in which some heads see a whole video, and others what came after.

    Args:
        frames: of the video.
        away: last frames that the others see beside the chunk that is made.
    """
    rules = {
        SEES: HeadRule(HeadPolicy(0, frames - CHUNK), PositionRule.ABSOLUTE),
        BLIND: HeadRule(HeadPolicy(0, away), PositionRule.ABSOLUTE),
    }
    chosen = set(heads)
    types = tuple(
        tuple(SEES if (layer, head) in chosen else BLIND for head in range(HEADS))
        for layer in range(LAYERS)
    )
    method = Method("oracle", "some heads see what the others do not", rules, SCHEME)
    return Compared("oracle", method, HeadMap(SCHEME, types))


def carried(
    model: DemoModel, absence: Absence, seed: int, first: int = 12
) -> Iterator[Carried | None]:
    """Find out which heads carry a recollection; yield None after every try, then what was found.

    Args:
        first: heads that are given sight one by one.
    """

    def error(heads: Iterable[Head]) -> float:
        shown = absence.shown(model, sighted(heads, absence.frames, absence.away), seed)
        return absence.recollection(shown).error

    every = set(EVERY_HEAD)
    whole, none = error(every), error(())
    yield None
    only, without = [], []
    for head in EVERY_HEAD:
        only.append(error([head]))
        without.append(error(every - {head}))
        yield None
    # a head counts by what it brings alone and by what is missed without it
    gain = {h: (none - only[i]) + (without[i] - whole) for i, h in enumerate(EVERY_HEAD)}
    order = sorted(EVERY_HEAD, key=lambda head: -gain[head])
    given = []
    for count in range(1, first + 1):
        given.append(error(order[:count]))
        yield None
    yield Carried(whole, none, _rows(only), _rows(without), order, given)


def _rows(values: Sequence[float]) -> list[list[float]]:
    return [list(values[at : at + HEADS]) for at in range(0, len(values), HEADS)]
