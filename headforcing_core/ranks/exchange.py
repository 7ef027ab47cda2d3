"""Tokens for heads, and heads for tokens: what ranks swap around attention."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import pad

from ..device import send
from .deal import Deal, runs_of
from .ranks import Ranks
from .traffic import CARRIED, IN, OUT, WHOLE

# self-attention of one layer: (layer, q, k, v)
Attending = Callable[[int, Tensor, Tensor, Tensor], Tensor]


class Exchange:
    """A model's tokens on several ranks, all its tokens for each head around attention.

    Every rank has a run of each frame's tokens, so that what is said to frames holds for a part of
    them as for the whole. Before attention it gives the other ranks its tokens of their heads and
    takes theirs of its own; afterwards the answers go the same way back.

        frame 0    frame 1         rank 0, heads 0 2      rank 1, head 1
        a b c | d  e f g | h  <->  a b c d e f g h        a b c d e f g h
        rank 0  1  0       1

    Args:
        ranks: this one and the others.
        deal: of heads.
        page: tokens of a frame, at least as many as ranks.

    Source: DeepSpeed-Ulysses (arXiv 2309.14509).
    """

    def __init__(self, ranks: Ranks, deal: Deal, page: int):
        self.ranks, self.deal, self.page = ranks, deal, page
        self._tokens = runs_of(page, ranks.size)
        orders = torch.tensor([deal.order(layer) for layer in range(len(deal.heads))])
        # where heads lie that are given away rank by rank, and the way back
        self._given = send(orders, ranks.device)
        self._back = send(orders.argsort(1), ranks.device)

    def own(self, x: Tensor, frames: int) -> Tensor:
        """Return this rank's tokens of ``[B, T, any]``, all frames' in order."""
        parts = x.unflatten(1, (frames, self.page)).split(self._tokens, 2)
        return parts[self.ranks.rank].flatten(1, 2)

    def whole(self, x: Tensor, frames: int) -> Tensor:
        """Return the tokens of all ranks, ``[B, T, any]``, of each rank's own."""
        x = x.unflatten(1, (frames, -1))
        even = pad(x, (0, 0, 0, self._tokens[0] - x.shape[2]))
        parts = self.ranks.gathered(even, WHOLE).unbind(0)
        cut = [part[:, :, :own] for part, own in zip(parts, self._tokens, strict=True)]
        return torch.cat(cut, 2).flatten(1, 2)

    def around(self, attend: Attending, frames: int) -> Attending:
        """Return attention over a rank's own tokens of all heads, given that over its own heads."""
        return _Around(self, attend, frames)

    def to_heads(
        self, layer: int, frames: int, q: Tensor, k: Tensor, v: Tensor
    ) -> tuple[Tensor, ...]:
        """Return q, k, v ``[B, T, own heads, D]`` of this rank's tokens of all heads."""
        batch, tokens, _, dim = q.shape
        counts = self.deal.counts(layer)
        own = counts[self.ranks.rank]
        parts = torch.stack([q, k, v]).index_select(3, self._given[layer]).split(counts, 3)
        token = CARRIED * batch * frames * dim
        sent = [CARRIED * batch * tokens * dim * heads for heads in counts]
        received = [token * own * there for there in self._tokens]
        got = self.ranks.swapped(_flat(parts), sent, received, IN).split(received)
        # [q k v, B, F, P of a rank, own heads, D]
        shape = (CARRIED, batch, frames, -1, own, dim)
        return torch.cat([part.view(shape) for part in got], 3).flatten(2, 3).unbind(0)

    def to_tokens(self, layer: int, frames: int, read: Tensor) -> Tensor:
        """Return this rank's tokens of all heads, of ``[B, T, own heads, D]`` with all tokens."""
        batch, _, own, dim = read.shape
        counts, tokens = self.deal.counts(layer), self._tokens[self.ranks.rank]
        parts = read.unflatten(1, (frames, self.page)).split(self._tokens, 2)
        token = batch * frames * dim
        sent = [token * own * there for there in self._tokens]
        received = [token * tokens * heads for heads in counts]
        got = self.ranks.swapped(_flat(parts), sent, received, OUT).split(received)
        shape = (batch, frames * tokens, -1, dim)
        return torch.cat([part.view(shape) for part in got], 2).index_select(2, self._back[layer])


@dataclass(frozen=True)
class _Around:
    """Attention with the exchange around it; see ``Exchange.around``."""

    exchange: Exchange
    attend: Attending
    frames: int

    def __call__(self, layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        own = self.exchange.to_heads(layer, self.frames, q, k, v)
        return self.exchange.to_tokens(layer, self.frames, self.attend(layer, *own))


def _flat(parts: tuple[Tensor, ...]) -> Tensor:
    return torch.cat([part.reshape(-1) for part in parts])
