"""What heads showed on several ranks, put together as one process would have it."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from ...ranks import Deal, Ranks
from ..groups import HeadGroup


class Place(NamedTuple):
    """Where something is seen: by whom, in which group of heads, in which layer."""

    kind: Hashable
    group: int
    layer: int


class Seen(NamedTuple):
    """What the heads of one group showed in one layer.

    own: ``[G, width]`` in float32, a row for each head of this rank; None: it has none there.
    """

    own: Tensor | None
    width: int


class Together:
    """The heads of all ranks, in the order they have in one process.

    Args:
        groups: with the heads of all ranks.
        deal: of the heads.
        ranks: this one and the others.
    """

    def __init__(self, groups: Sequence[HeadGroup], deal: Deal, ranks: Ranks):
        self._groups, self._deal, self.ranks = groups, deal, ranks

    def whole(self, seen: Mapping[Place, Seen]) -> dict[Place, Tensor]:
        """Return ``[G, width]`` of all heads of each place; all that is seen goes at once.

        Args:
            seen: the same places on all ranks.
        """
        if not seen:
            return {}
        heads = {place: self._dealt(place) for place in seen}
        sizes = [
            sum(len(heads[place][rank]) * one.width for place, one in seen.items())
            for rank in range(self.ranks.size)
        ]
        own = torch.zeros(max(sizes), device=self.ranks.device)
        rows = [one.own.flatten() for one in seen.values() if one.own is not None]
        if rows:
            own[: sizes[self.ranks.rank]] = torch.cat(rows)
        found: dict[Place, list[tuple[int, Tensor]]] = {place: [] for place in seen}
        for rank, flat in enumerate(self.ranks.gathered(own).unbind(0)):
            start = 0
            for place, one in seen.items():
                for head in heads[place][rank]:
                    found[place].append((head, flat[start : start + one.width]))
                    start += one.width
        return {
            place: torch.stack([row for _, row in sorted(parts, key=lambda part: part[0])])
            for place, parts in found.items()
        }

    def _dealt(self, place: Place) -> list[list[int]]:
        """Return the heads of a place, by rank."""
        wanted = set(self._groups[place.group].heads[place.layer])
        return [[head for head in own if head in wanted] for own in self._deal.heads[place.layer]]
