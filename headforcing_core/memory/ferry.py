"""Pages on their way from the host to who reads them, one read ahead."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

from .arena import Arena
from .beside import OutOfTheWay, Pages, Wanted
from .boundary import Arrival, Boundary
from .cache_plan import PLACES

Needs = Sequence[tuple[Arena, Wanted]]


class Ferry:
    """Two places on the device, each for all pages that are read of one layer at a time.

    Args:
        layers: the arenas of each.
        size: bytes of a place.
        joint: see ``ArenaPlan.fetched``.
        boundary: between the device and the host.
    """

    def __init__(
        self, layers: Sequence[Sequence[Arena]], size: int, joint: bool, boundary: Boundary
    ):
        self._boundary = boundary
        self.tensors = [boundary.landing(size) for _ in range(PLACES)]
        self._landings = [self._laid_out(layers, number, joint) for number in range(PLACES)]
        self._next = 0

    def _laid_out(
        self, layers: Sequence[Sequence[Arena]], number: int, joint: bool
    ) -> Mapping[Arena, Pages]:
        """Return where pages of each arena lie in a place; layers lie in it one at a time."""
        found: dict[Arena, Pages] = {}
        for arenas in layers:
            start = 0
            for arena in arenas:
                if isinstance(arena.beside, OutOfTheWay):
                    pages, stop = arena.beside.landing(self.tensors[number], start, joint)
                    found[arena], start = pages, stop
        return found

    def sent(self, needs: Needs) -> tuple[Mapping[Arena, Pages], Arrival]:
        """Begin to fetch pages into the place that was not the last one."""
        landings, self._next = self._landings[self._next], (self._next + 1) % PLACES
        pairs = [
            pair for arena, wanted in needs for pair in arena.beside.pairs(landings[arena], wanted)
        ]
        return {arena: landings[arena] for arena, _ in needs}, self._boundary.fetch(pairs)

    def passage(self, reads: Mapping[Hashable, Needs]) -> Passage:
        """Return the way of what is read while a chunk is open.

        Args:
            reads: in their order; where nothing is out of the way, nothing is fetched.
        """
        away = {
            read: [(a, w) for a, w in needs if isinstance(a.beside, OutOfTheWay) and any(w)]
            for read, needs in reads.items()
        }
        return Passage(self, {read: needs for read, needs in away.items() if needs})


class _Coming(NamedTuple):
    """What is on its way for a read."""

    read: Hashable
    pages: Mapping[Arena, Pages]
    arrival: Arrival


class Passage:
    """What is read while a chunk is open, and lies with the host.

    While one read is made, what the next one needs is on its way. What is read out of order is
    fetched when it is asked for.

    Args:
        reads: in their order, and what each of them needs.
    """

    def __init__(self, ferry: Ferry, reads: Mapping[Hashable, Needs]):
        self._ferry, self._reads = ferry, reads
        self._after = dict(pairwise(reads))
        self._coming: _Coming | None = None

    def take(self, read: Hashable) -> Mapping[Arena, Pages]:
        """Return what a read needs of each arena. It is there until the next one is taken."""
        if read not in self._reads:
            return {}
        if self._coming is None or self._coming.read != read:
            self._coming = self._begun(read)
        now, after = self._coming, self._after.get(read)
        self._coming = None if after is None else self._begun(after)
        now.arrival.wait()
        return now.pages

    def _begun(self, read: Hashable) -> _Coming:
        return _Coming(read, *self._ferry.sent(self._reads[read]))
