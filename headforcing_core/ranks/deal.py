"""Which rank has which heads of which layer. Integers; no tensors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

# of every layer, what each head reads: any number that grows with it
Loads = Sequence[Sequence[int]]


@dataclass(frozen=True)
class Deal:
    """The heads of every layer, dealt to ranks.

    Args:
        heads: ``[layer][rank]``, the heads that a rank has there, ascending.

    Raises:
        ValueError: if a head has no rank, or several, or a rank has no head.
    """

    heads: tuple[tuple[tuple[int, ...], ...], ...]

    def __post_init__(self) -> None:
        for layer, ranks in enumerate(self.heads):
            every = sorted(head for own in ranks for head in own)
            if every != list(range(len(every))):
                raise ValueError(
                    f"each head of layer {layer} must be on one rank, got {ranks} for the heads "
                    "of its ranks"
                )
            if not all(ranks) or any(list(own) != sorted(own) for own in ranks):
                raise ValueError(
                    f"each rank must have heads of layer {layer}, in their order, got {ranks}"
                )
        if len({len(ranks) for ranks in self.heads}) != 1:
            raise ValueError(f"each layer must have as many ranks, got {self.heads}")

    @property
    def ranks(self) -> int:
        return len(self.heads[0])

    def counts(self, layer: int) -> list[int]:
        """Return how many heads each rank has in a layer."""
        return [len(own) for own in self.heads[layer]]

    def order(self, layer: int) -> list[int]:
        """Return the heads of a layer, rank by rank."""
        return [head for own in self.heads[layer] for head in own]


def check_ranks(ranks: int, heads: int, tokens: int) -> None:
    """Refuse more ranks than there are heads of a layer, or tokens of a frame.

    Raises:
        ValueError: if there are.
    """
    for most, of in ((heads, "heads of a layer"), (tokens, "tokens of a frame")):
        if ranks > most:
            raise ValueError(
                f"ranks must be at most the {of}, which are {most}, got {ranks}; start fewer"
            )


def balanced(loads: Loads, ranks: int, sizes: Loads | None = None) -> Deal:
    """Deal heads so that what ranks read in a layer is as alike as it gets.

    Layers are dealt one by one: ranks wait for each other in every one of them. Heads are put
    together, the largest first to where least is; then two lots change heads, or one gives one
    away, as long as that helps. The lot that takes most room goes to the rank that has least.

    Args:
        loads: ``[layer][head]``, positive.
        sizes: the room that each head takes, in any unit; None: what it reads.

    Raises:
        ValueError: if there are more ranks than heads.

    Source: largest first is R. L. Graham, Bounds on multiprocessing timing anomalies (1969).
    """
    dealt, held = [], [0] * ranks
    for load, size in zip(loads, sizes or loads, strict=True):
        lots = _improved(_largest_first(load, ranks), load)
        lots.sort(key=lambda heads: -_sum(size, heads))
        own: list[tuple[int, ...]] = [()] * ranks
        for rank, heads in zip(sorted(range(ranks), key=held.__getitem__), lots, strict=True):
            own[rank] = tuple(sorted(heads))
            held[rank] += _sum(size, heads)
        dealt.append(tuple(own))
    return Deal(tuple(dealt))


def by_count(layers: int, heads: int, ranks: int) -> Deal:
    """Deal heads in their order, as many to each rank, as where all heads are alike."""
    stops = runs_of(heads, ranks)
    starts = [sum(stops[:rank]) for rank in range(ranks)]
    own = tuple(tuple(range(start, start + n)) for start, n in zip(starts, stops, strict=True))
    return Deal((own,) * layers)


def runs_of(things: int, ranks: int) -> list[int]:
    """Return how many of some things each rank has, where they are dealt in runs."""
    return [things // ranks + (rank < things % ranks) for rank in range(ranks)]


def imbalance(deal: Deal, loads: Loads) -> float:
    """Return what the fullest rank of each layer has, beside the mean of ranks: 1 is even."""
    fullest = sum(
        max(_sum(load, own) for own in ranks) for ranks, load in zip(deal.heads, loads, strict=True)
    )
    return fullest * deal.ranks / sum(map(sum, loads))


def _largest_first(load: Sequence[int], ranks: int) -> list[list[int]]:
    lots: list[list[int]] = [[] for _ in range(ranks)]
    for head in sorted(range(len(load)), key=lambda head: (-load[head], head)):
        min(lots, key=lambda lot: _sum(load, lot)).append(head)
    return lots


def _improved(own: list[list[int]], load: Sequence[int]) -> list[list[int]]:
    """Change heads between the fullest lot and others until that does not help any more."""
    while (better := _better(own, load)) is not None:
        own = better
    return own


def _better(own: list[list[int]], load: Sequence[int]) -> list[list[int]] | None:
    """Return what comes of one change that takes something from the fullest lot; None: nothing."""
    sums = [_sum(load, heads) for heads in own]
    full = max(range(len(own)), key=sums.__getitem__)
    for rank, heads in enumerate(own):
        # a head for another, or for nothing where one is left
        others = [*heads, None] if len(own[full]) > 1 else heads
        for gives, takes in product(own[full], others if rank != full else ()):
            moved = load[gives] - (0 if takes is None else load[takes])
            if 0 < moved < sums[full] - sums[rank]:
                changed = [list(each) for each in own]
                changed[full].remove(gives)
                changed[rank].append(gives)
                if takes is not None:
                    changed[rank].remove(takes)
                    changed[full].append(takes)
                return changed
    return None


def _sum(load: Sequence[int], heads: Sequence[int]) -> int:
    return sum(load[head] for head in heads)
