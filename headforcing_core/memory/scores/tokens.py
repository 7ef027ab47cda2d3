"""Which single tokens are kept: those that queries want most."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from ...methods import Commit, Kind, Page, frame_page
from ...methods.middles import Tokens
from ...ranks import Ranks
from ...video import Chunk, LatentGrid
from ..ledger import Ledger
from ..pool import Share


class TokenChoice:
    """The tokens that are chosen while a chunk is clean. The choice never leaves the device.

    Args:
        grid: of tokens.
        alone: this process has all heads; else what they want is told before anything is chosen.
    """

    def __init__(self, grid: LatentGrid, alone: bool = True):
        self._grid, self._alone = grid, alone
        self._chosen: dict[tuple[Ledger, int], Tensor] = {}
        self._wanted: dict[tuple[Ledger, int], Tensor] = {}

    def study(self, layer: int, share: Share, q: Tensor, chunk: Chunk, scene: int) -> None:
        """Choose in one layer, where the share's heads keep tokens and some will be taken.

        Args:
            q: ``[B, T, H, D]`` of the layer, clean and rotated.
        """
        candidates = self.candidates(share.ledger, chunk, scene)
        if candidates and self._alone:
            wanted = _wanted(share, share.own(q), candidates, "bn")
            self._chosen[share.ledger, layer] = self._most(share.ledger, wanted)
        elif candidates:
            wanted = _wanted(share, share.own(q), candidates, "gbn")
            self._wanted[share.ledger, layer] = wanted.flatten(1)

    def seen(self) -> dict[tuple[Ledger, int], Tensor]:
        """Return how much each head of this rank wants each token, ``[G, B * n]``, once."""
        wanted, self._wanted = self._wanted, {}
        return wanted

    def choose(self, seen: Mapping[tuple[Ledger, int], Tensor], batch: int, ranks: Ranks) -> None:
        """Choose as the first rank does.

        Args:
            seen: of the heads of all ranks, by ledger and layer.
            batch: videos side by side.
        """
        if seen:
            most = [self._most(at[0], x.sum(0).view(batch, -1)) for at, x in seen.items()]
            agreed = ranks.agreed(torch.cat([x.flatten() for x in most]))
            parts = agreed.split([x.numel() for x in most])
            chosen = (part.view(x.shape) for part, x in zip(parts, most, strict=True))
            self._chosen |= zip(seen, chosen, strict=True)

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

    def _most(self, ledger: Ledger, wanted: Tensor) -> Tensor:
        """Return the tokens with the highest scores ``[B, n]``, in order."""
        count = ledger.rule.policy.middle.count * self._grid.tokens_per_frame
        return wanted.topk(min(count, wanted.shape[1])).indices.sort().values


def _wanted(share: Share, q: Tensor, candidates: Sequence[Page], of: str) -> Tensor:
    """Return the scores of tokens against the sum of all queries.

    Args:
        of: "bn", of all heads together, or "gbn", of each.
    """
    slots = [share.ledger.slots.places[page] for page in candidates]
    k = share.arena.in_slots(slots)[0].numbers().float()
    return torch.einsum(f"bgd,bgnd->{of}", q.float().sum(1), k)
