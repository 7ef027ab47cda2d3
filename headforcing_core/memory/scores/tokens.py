"""Which single tokens are kept: those that queries want most."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ...methods import Commit, Kind, Page, frame_page
from ...methods.middles import Tokens
from ...video import Chunk, LatentGrid
from ..layer_cache import Share
from ..ledger import Ledger


class TokenChoice:
    """The tokens that are chosen while a chunk is clean. The choice never leaves the device.

    Args:
        grid: of tokens.
    """

    def __init__(self, grid: LatentGrid):
        self._grid = grid
        self._chosen: dict[tuple[Ledger, int], Tensor] = {}

    def study(self, layer: int, share: Share, q: Tensor, chunk: Chunk, scene: int) -> None:
        """Choose in one layer, where the share's heads keep tokens and some will be taken.

        Args:
            q: ``[B, T, H, D]`` of the layer, clean and rotated.
        """
        candidates = self.candidates(share.ledger, chunk, scene)
        if candidates:
            count = share.ledger.rule.policy.middle.count * self._grid.tokens_per_frame
            chosen = _most_wanted(share, share.own(q), candidates, count)
            self._chosen[share.ledger, layer] = chosen

    def candidates(self, ledger: Ledger, chunk: Chunk, scene: int) -> tuple[Page, ...]:
        """Return the pages that tokens will be taken from when ``chunk`` is committed.

        Args:
            scene: first frame of the prompt that rules it.
        """
        past, policy = ledger.past, ledger.rule.policy
        if not isinstance(policy.middle, Tokens):
            return ()
        _, leaving, _ = policy.split(past, chunk, scene)
        after = policy.middle.take(past.middle, leaving, Commit(chunk, scene))
        if not any(page.kind is Kind.TOKENS and page not in past.middle for page in after):
            return ()
        return (*past.middle, *map(frame_page, leaving))

    def chosen(self, ledger: Ledger, layer: int) -> Tensor | None:
        """Return ``[B, n]``, which of the candidates' tokens are kept."""
        return self._chosen.get((ledger, layer))

    def forget(self) -> None:
        self._chosen.clear()


def _most_wanted(share: Share, q: Tensor, candidates: Sequence[Page], count: int) -> Tensor:
    """Return the tokens with the highest scores against the sum of all queries, in order."""
    slots = [share.ledger.slots.places[page] for page in candidates]
    k = share.arena.in_slots(slots)[0].float()
    scores = torch.einsum("bgd,bgnd->bn", q.float().sum(1), k)
    return scores.topk(min(count, scores.shape[1])).indices.sort().values
