"""Which heads recall: they turn to what comes back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from statistics import fmean

import torch
from torch import Tensor

from .head_profile import HeadProfile

Heads = frozenset[tuple[int, int]]


@dataclass(frozen=True, eq=False)
class Recalling:
    """What heads do when something comes back.

    Args:
        shifts: ``[N, L, H]`` of N pasts: share of attention that a head turns to what comes back.
        least: mean shift from which on a head recalls.
    """

    shifts: Tensor
    least: float

    @classmethod
    def of(cls, profile: HeadProfile, least: float) -> Recalling | None:
        """Return what a profile has measured; None if nothing was let come back."""
        if not profile.returns:
            return None
        return cls(torch.stack([back.shifts.mean(0) for back in profile.returns]), least)

    @property
    def mean(self) -> Tensor:
        """Shift of every head, ``[L, H]``."""
        return self.shifts.mean(0)

    @property
    def heads(self) -> Heads:
        """Those that recall, (layer, head)."""
        return self._heads(self.shifts)

    def votes(self, layer: int, head: int) -> float:
        """Return the share of pasts in which a head recalls."""
        return float((self.shifts[:, layer, head] >= self.least).double().mean())

    def halves(self, splits: int, seed: int) -> float | None:
        """Return the heads that two halves of the pasts both name over those that either does.

        Mean over random splits; 1 if neither names any, None if there is one past only.
        """
        count = len(self.shifts)
        if count < 2:
            return None
        random, found = Random(seed), []
        for _ in range(splits):
            order = random.sample(range(count), count)
            one, other = (self._at(part) for part in (order[: count // 2], order[count // 2 :]))
            found.append(len(one & other) / len(one | other) if one | other else 1.0)
        return fmean(found)

    def _at(self, pasts: Sequence[int]) -> Heads:
        return self._heads(self.shifts[list(pasts)])

    def _heads(self, shifts: Tensor) -> Heads:
        if self.least >= 1:
            return frozenset()
        there = torch.nonzero(shifts.mean(0) >= self.least).tolist()
        return frozenset((layer, head) for layer, head in there)
