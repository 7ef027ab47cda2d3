"""The caches of one layer: a pool of rows, and who reads which of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from ...kernels import Span, write_rotated
from ..device import send
from ..video import Chunk, Rotation
from .arena import Arena
from .cache_plan import CachePlan
from .ledger import Ledger
from .rotations import Rotations


class Share(NamedTuple):
    """The part of a layer's pool that one group has.

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
    def in_use(self) -> tuple[Tensor, Tensor]:
        """Keys and values of its slots in use, in their order: ``[B, G, rows, D]``."""
        used = self.ledger.slots.used
        k, v = (x[:, :, :used].flatten(2, 3) for x in (self.arena.k, self.arena.v))
        return k, v

    def own(self, x: Tensor) -> Tensor:
        """Return the heads of the group, of ``[B, T, H, ...]`` of the layer."""
        return x if self.index is None else x.index_select(2, self.index)


class LayerCache:
    """Keys and values of one layer.

    Args:
        k, v: ``[B, rows, D]``, the pool: head after head, those of a group beside each other.
        heads: of the layer; where several ranks make the video, of this one.
    """

    def __init__(self, k: Tensor, v: Tensor, shares: list[Share], heads: int):
        self.k, self.v = k, v
        self.shares = shares
        self.heads = heads

    @classmethod
    def allocated(
        cls,
        plan: CachePlan,
        layer: int,
        ledgers: Sequence[Ledger],
        rotations: Rotations,
        device: torch.device | str,
    ) -> LayerCache:
        """Allocate what the heads of one layer will ever need.

        Args:
            ledgers: of the plan's groups.
            rotations: that all layers share.
        """
        shape = (plan.batch, plan.pool_rows(layer), plan.geometry.head_dim)
        k, v = (torch.zeros(shape, dtype=plan.dtype, device=device) for _ in range(2))
        shares, start = [], 0
        for ledger, group in zip(ledgers, plan.own, strict=True):
            heads = group.heads.get(layer, ())
            if not heads:
                continue
            room = plan.arena(group)
            own = slice(start, start + len(heads) * room.rows)
            parts = (x[:, own].unflatten(1, (len(heads), room.rows)) for x in (k, v))
            whole = heads == tuple(range(plan.heads_in(layer)))
            index = None if whole else send(torch.tensor(heads), device)
            shares.append(Share(ledger, heads, index, start, Arena(room, *parts, rotations)))
            start = own.stop
        return cls(k, v, shares, plan.heads_in(layer))

    def write(
        self, chunk: Chunk, q: Tensor, k: Tensor, v: Tensor, rotation: Rotation, rows: Tensor
    ) -> Tensor:
        """Overwrite the open chunk's keys and values; return the queries rotated.

        Args:
            q, k, v: ``[B, len(chunk) * P, H, D]``, unrotated.
            rotation: of the tokens.
            rows: ``chunk_rows`` on the device.
        """
        for share in self.shares:
            # time channels of a sink are kept unrotated: it will be turned in every chunk
            for frame in range(chunk.start, min(chunk.stop, share.ledger.rule.raw_sink)):
                raw = k.unflatten(1, (len(chunk), -1))[:, frame - chunk.start]
                own = share.own(raw[..., : share.arena.time])
                share.arena.turning[:, :, frame] = own.transpose(1, 2)
        return write_rotated(q, k, v, rotation.squeeze(1), self.k, self.v, rows)

    def chunk_rows(self) -> list[list[int]]:
        """Return the pool's first row for each frame of the open chunk, of each head."""
        rows: dict[int, list[int]] = {}
        for share in self.shares:
            plan = share.arena.plan
            for number, head in enumerate(share.heads):
                first = share.start + number * plan.rows + plan.front
                rows[head] = [first + slot * plan.tokens for slot in share.ledger.slots.chunk_slots]
        return [list(frame) for frame in zip(*(rows[h] for h in range(self.heads)), strict=True)]

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
        return tuple(spans[head] for head in range(self.heads))

    def ledger_of(self, head: int) -> Ledger:
        """Return the bookkeeping of one head."""
        return next(share.ledger for share in self.shares if head in share.heads)
