"""The self-attention of one chunk: past and present, through the caches."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from ..kernels import Dense, Span, chosen_impl, head_attention
from .memory import CacheBank, OpenChunk, OpenWindow, PoolRead, Share

# Dense is the kernels' word, and a host's as well: hosts do not import kernels
__all__ = ["Dense", "HeadAttention", "Observer", "Read", "served_by"]


class Read(NamedTuple):
    """One read of one layer, as an observer sees it.

    step: see ``HeadAttention``.
    frame: first query frame.
    q: ``[B, T, H, D]``, rotated.
    opened: what is read.
    """

    layer: int
    step: int | None
    frame: int
    q: Tensor
    opened: OpenChunk | OpenWindow


Observer = Callable[[Read], None]


@dataclass(frozen=True)
class HeadAttention:
    """What a model calls in place of its own self-attention while one chunk is open.

    Every call overwrites the chunk's own keys and values in the caches and reads them together
    with the past; what is remembered does not change.

    Args:
        opened: the chunk, and the past in front of it.
        observe: sees every read, e.g. to measure attention.
        step: number of the call, from 0; None: it is on clean latents, and policies may look at it.
        dense: the host's own attention, where its user has asked for one; None: the best there is.
        fade: factor on what is given to the past, but for its first page; 1 in clean calls.
    """

    opened: OpenChunk | OpenWindow
    observe: Observer | None = None
    step: int | None = 0
    dense: Dense | None = None
    fade: float = 1.0

    def __call__(self, layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Attend in one layer; q, k, v and the result are ``[B, T, H, D]``, unrotated."""
        q = self.opened.write(layer, q, k, v)
        if self.step is None:
            self.opened.study(layer, q, k)
        runs = self.opened.query_frames(layer)
        read = [
            self._read(layer, part, frames.start)
            for part, frames in zip(q.chunk(len(runs), 1), runs, strict=True)
        ]
        return read[0] if len(read) == 1 else torch.cat(read, 1)

    def _read(self, layer: int, q: Tensor, frame: int) -> Tensor:
        self.opened.stage(layer, frame)
        if self.observe is not None:
            self.observe(Read(layer, self.step, frame, q, self.opened))
        if self.fade != 1 and self.step is not None:
            return self._faded(layer, q)
        reads = self.opened.reads(layer)
        if len(reads) == 1:
            return self._of_pool(reads[0], q)
        read = torch.empty_like(q)
        for pool in reads:
            read.index_copy_(2, pool.index, self._of_pool(pool, pool.own(q)))
        return read

    def _of_pool(self, pool: PoolRead, q: Tensor) -> Tensor:
        """Attend with the heads of one pool."""
        spans, table = pool.rows
        kept = {"scales": pool.scales, "table": table, "dense": self.dense}
        return head_attention(q, pool.k, pool.v, spans, **kept)

    def _faded(self, layer: int, q: Tensor) -> Tensor:
        """Read with less weight on pages of the past, which no kernel of ours knows of.

        Source: the attention bias of daydreamlive/scope (pipelines/krea_realtime_video).
        """
        read = torch.empty_like(q)
        for share in self.opened.shares(layer):
            bias = self.opened.faded(share.ledger, self.fade).to(q.dtype).expand(q.shape[1], -1)
            own = share.own(q).transpose(1, 2)
            parts = [
                scaled_dot_product_attention(own[:, heads], k, v, attn_mask=bias)
                for heads, k, v in _decoded(share, q.dtype)
            ]
            answer = torch.cat(parts, 1).transpose(1, 2)
            if share.index is None:
                return answer
            read.index_copy_(2, share.index, answer)
        return read


def _decoded(share: Share, dtype: torch.dtype) -> Iterator[tuple[slice, Tensor, Tensor]]:
    """Yield heads of a share with their keys and values in use: of codes one head at a time."""
    kept, every = share.in_use, len(share.heads)
    step = every if kept[0].scales is None else 1
    for first in range(0, every, step):
        heads = slice(first, first + step)
        k, v = (x.at(slice(None), heads).numbers().to(dtype) for x in kept)
        yield heads, k, v


def served_by(bank: CacheBank, dense: Dense | None = None) -> str:
    """Return what reads the caches on this machine, in words."""
    if dense is not None:
        return "the attention chosen in the host"
    found = {}
    for pool in (pool for layer in bank.layers for pool in layer.pools):
        k, v = pool.k.codes, pool.v.codes
        shape = (k.shape[0], 1, len(pool.heads), k.shape[2])
        q = torch.empty(shape, dtype=bank.plan.dtype, device=k.device)
        spans = [Span(head, 1) for head in range(len(pool.heads))]
        found[chosen_impl(q, k, v, spans, scales=pool.scales).value] = None
    return " and ".join(found)
