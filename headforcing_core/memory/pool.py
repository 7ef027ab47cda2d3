"""A pool of rows: keys and values of the heads of one layer that are kept alike."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from ...kernels import Span, write_rotated
from ..video import Chunk, Rotation
from .arena import Arena
from .ledger import Ledger
from .rows import Rows


class Share(NamedTuple):
    """The part of a pool that one group has.

    heads: which of the layer's.
    index: the same on the device, None for all in order.
    start: first row of the first head.
    """

    ledger: Ledger
    heads: tuple[int, ...]
    index: Tensor | None
    start: int
    arena: Arena

    @property
    def in_use(self) -> tuple[Rows, Rows]:
        """Keys and values of its slots in use, in their order: ``[B, G, rows, D]``."""
        used = slice(self.ledger.slots.used)
        every = slice(None)
        k, v = (x.at(every, every, used).flatten(2, 3) for x in (self.arena.k, self.arena.v))
        return k, v

    def own(self, x: Tensor) -> Tensor:
        """Return the heads of the group, of ``[B, T, H, ...]`` of the layer."""
        return x if self.index is None else x.index_select(2, self.index)


class Pool(NamedTuple):
    """Keys and values, head after head, those of a group beside each other.

    k, v: ``[B, rows, D]``.
    heads: which of the layer's, ascending.
    index: the same on the device, None for all.
    """

    k: Rows
    v: Rows
    shares: list[Share]
    heads: tuple[int, ...]
    index: Tensor | None

    @property
    def scales(self) -> tuple[Tensor, Tensor] | None:
        """Of keys and values, where they are codes."""
        return None if self.k.scales is None else (self.k.scales, self.v.scales)

    def own(self, x: Tensor) -> Tensor:
        """Return the pool's heads, of ``[B, T, H, ...]`` of the layer."""
        return x if self.index is None else x.index_select(2, self.index)

    def write(
        self, chunk: Chunk, q: Tensor, k: Tensor, v: Tensor, rotation: Rotation, rows: Tensor
    ) -> Tensor:
        """Overwrite the open chunk's keys and values; return the queries rotated.

        Args:
            q, k, v: ``[B, len(chunk) * P, H, D]`` of all heads of the layer, unrotated.
            rotation: of the tokens.
            rows: ``chunk_rows`` on the device.

        Returns:
            Of the pool's heads.
        """
        for share in self.shares:
            # time channels of a sink are kept unrotated: it will be turned in every chunk
            for frame in range(chunk.start, min(chunk.stop, share.ledger.rule.raw_sink)):
                raw = share.own(k.unflatten(1, (len(chunk), -1))[:, frame - chunk.start])
                kept = self.k.raw(raw, share.arena.time).transpose(1, 2)
                share.arena.beside.put_turning(frame, kept)
        q, k, v = (self.own(x) for x in (q, k, v))
        pools = self.k.codes, self.v.codes
        return write_rotated(q, k, v, rotation.squeeze(1), *pools, rows, scales=self.scales)

    def chunk_rows(self) -> list[list[int]]:
        """Return the first row for each frame of the open chunk, of each head."""
        rows: dict[int, list[int]] = {}
        for share in self.shares:
            plan = share.arena.plan
            for number, head in enumerate(share.heads):
                first = share.start + number * plan.rows + plan.front
                rows[head] = [first + slot * plan.tokens for slot in share.ledger.slots.chunk_slots]
        return [list(frame) for frame in zip(*(rows[head] for head in self.heads), strict=True)]

    def spans(self, shown: Mapping[Ledger, int]) -> tuple[Span, ...]:
        """Return the rows that each head reads.

        Args:
            shown: tokens in front of the slots, per ledger.
        """
        spans: dict[int, Span] = {}
        for share in self.shares:
            plan, front = share.arena.plan, shown[share.ledger]
            length = front + share.ledger.slots.used * plan.tokens
            for number, head in enumerate(share.heads):
                first = share.start + number * plan.rows + plan.front - front
                spans[head] = Span(first, length)
        return tuple(spans[head] for head in self.heads)


def in_order(heads: tuple[int, ...], every: int) -> bool:
    """Say whether heads are all of a layer."""
    return heads == tuple(range(every))


def put_back(parts: list[tuple[Pool, Tensor]], like: Tensor) -> Tensor:
    """Return what belongs to the heads of pools, ``[B, T, heads, D]``, in the layer's order."""
    (pool, own), *others = parts
    if not others and pool.index is None:
        return own
    whole = torch.empty_like(like)
    for each, own in parts:
        whole.index_copy_(2, each.index, own)
    return whole
