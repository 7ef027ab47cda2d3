"""What could be wrong with ranks, planted one at a time while a video is made."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import pytest
import torch
from spread_videos import Case, Made, made

from headforcing.headforcing_core import generation
from headforcing.headforcing_core.memory import cache_plan
from headforcing.headforcing_core.memory.scores import Together
from headforcing.headforcing_core.ranks import Exchange, Ranks, exchange
from headforcing.headforcing_core.video import SeededNoise


class Defect(NamedTuple):
    """What is changed, and a method that must show it."""

    plant: Callable[[pytest.MonkeyPatch, Ranks], None]
    method: str = "head_forcing"
    says: tuple[str, ...] = ()


def _head_on_two_ranks(patch, ranks):
    """The second rank takes the first one's heads for its own, as many as it has."""
    real = cache_plan.balanced

    def dealt(loads, size, sizes=None):
        deal = real([[1] * len(load) for load in loads], size)
        heads = tuple((layer[0], layer[0], *layer[2:]) for layer in deal.heads)
        object.__setattr__(deal, "heads", heads)
        return deal

    patch.setattr(cache_plan, "balanced", dealt)
    patch.setattr(torch.Tensor, "argsort", lambda self, dim: _places(self))


def _places(orders):
    every = range(orders.shape[1])
    return torch.tensor(
        [[row.index(h) if h in row else 0 for h in every] for row in orders.tolist()]
    )


def _other_token_order(patch, ranks):
    """Parts of a frame are put together from the last rank to the first."""
    real = exchange.torch.cat

    def cat(parts, dim=0):
        return real(list(parts)[::-1] if dim == 3 else parts, dim)

    patch.setattr(exchange.torch, "cat", cat)


def _frames_behind_parts(patch, ranks):
    """Tokens of a rank come before those of the next, whatever their frame."""

    def to_heads(self, layer, frames, q, k, v):
        own = _to_heads(self, layer, frames, q, k, v)
        sizes = self._tokens
        return tuple(
            torch.cat(
                [part.flatten(1, 2) for part in x.unflatten(1, (frames, -1)).split(sizes, 2)], 1
            )
            for x in own
        )

    patch.setattr(Exchange, "to_heads", to_heads)


_to_heads = Exchange.to_heads


def _heads_not_back_in_order(patch, ranks):
    real = Exchange.__init__

    def init(self, *arguments):
        real(self, *arguments)
        self._back = torch.arange(self._back.shape[1]).expand_as(self._back)

    patch.setattr(Exchange, "__init__", init)


def _caches_of_anothers_heads(patch, ranks):
    real = cache_plan.own_groups
    patch.setattr(cache_plan, "own_groups", lambda groups, deal, rank: real(groups, deal, 1 - rank))


def _scores_of_own_heads(patch, ranks):
    """Every rank takes what its own heads show for what all do."""

    def whole(self, seen):
        return {place: one.own for place, one in seen.items() if one.own is not None}

    patch.setattr(Together, "whole", whole)
    patch.setattr(Ranks, "agreed", lambda self, x, kind="": x)


def _scores_of_other_heads(patch, ranks):
    """What heads show is put together rank by rank, not in their order."""
    real = Together.whole

    def whole(self, seen):
        found = real(self, seen)
        return dict(zip(found, reversed(found.values()), strict=True))

    patch.setattr(Together, "whole", whole)


def _noise_of_each_rank(patch, ranks):
    class Own(SeededNoise):
        def draw(self, chunk, step):
            return super().draw(chunk, step + 7 * ranks.rank)

    patch.setattr(generation, "SeededNoise", Own)


def _tokens_in_runs_of_the_whole(patch, ranks):
    """Modulation by another frame: a rank's tokens are taken as a run of the whole sequence."""

    def own(self, x, frames):
        return x.split([frames * n for n in self._tokens], 1)[self.ranks.rank]

    patch.setattr(Exchange, "own", own)


def _noisy_scores(patch, ranks):
    real = Together.whole

    def whole(self, seen):
        rng = torch.Generator().manual_seed(ranks.rank)
        return {
            place: x * (1 + 0.5 * torch.randn(x.shape, generator=rng))
            for place, x in real(self, seen).items()
        }

    patch.setattr(Together, "whole", whole)


def _noisy_scores_of_each_rank(patch, ranks):
    _noisy_scores(patch, ranks)
    patch.setattr(Ranks, "agreed", lambda self, x, kind="": x)


DEFECTS = {
    "a head on two ranks": Defect(_head_on_two_ranks),
    "another order of tokens": Defect(_other_token_order),
    "frames behind parts": Defect(_frames_behind_parts),
    "heads not back in their order": Defect(_heads_not_back_in_order),
    "caches of another's heads": Defect(_caches_of_anothers_heads),
    "scores of own heads": Defect(_scores_of_own_heads, "deep"),
    "types of own heads": Defect(_scores_of_own_heads, "dummy"),
    "types of other heads": Defect(_scores_of_other_heads, "dummy"),
    "noise of each rank": Defect(_noise_of_each_rank),
    "tokens dealt in runs of the whole": Defect(_tokens_in_runs_of_the_whole),
}
PLANTS = {
    **{name: defect.plant for name, defect in DEFECTS.items()},
    "noisy scores": _noisy_scores,
    "noisy scores of each rank": _noisy_scores_of_each_rank,
}


def made_with(ranks: Ranks, defect: str, case: Case) -> Made:
    """Make a video with something planted."""
    with pytest.MonkeyPatch.context() as patch:
        PLANTS[defect](patch, ranks)
        return made(ranks, case)
