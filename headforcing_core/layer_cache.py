"""The caches of one layer: a pool of rows, and who reads which of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from torch import Tensor

from ..kernels import Span
from .arena import Arena
from .clock import Chunk
from .ledger import Ledger


class Share(NamedTuple):
    """The part of a layer's pool that one group has.

    heads: which of the layer's, ``slice(None)`` for all in order.
    start: first row of the first head.
    """

    ledger: Ledger
    heads: tuple[int, ...] | slice
    start: int
    arena: Arena


class LayerCache:
    """Keys and values of one layer.

    Args:
        k, v: ``[B, rows, D]``, the pool: head after head, those of a group beside each other.
    """

    def __init__(self, k: Tensor, v: Tensor, shares: list[Share], heads: int):
        self.k, self.v = k, v
        self.shares = shares
        self.heads = heads

    def write(self, chunk: Chunk, k: Tensor, v: Tensor, unrotated: Tensor) -> None:
        """Overwrite the open chunk's keys and values.

        Args:
            k, v: ``[B, len(chunk) * P, H, D]``, keys rotated.
            unrotated: the same keys before rotation.
        """
        for share in self.shares:
            ledger, arena = share.ledger, share.arena
            own_k, own_v, raw = (
                x[:, :, share.heads].unflatten(1, (len(chunk), -1)).permute(1, 0, 3, 2, 4)
                for x in (k, v, unrotated)
            )  # [len(chunk), B, G, P, D]
            for i, (frame, slot) in enumerate(
                zip(chunk.frames, ledger.slots.chunk_slots, strict=True)
            ):
                arena.write(slot, own_k[i], own_v[i])
                if frame < ledger.rule.raw_sink:
                    arena.turning[:, :, frame] = raw[i, ..., : arena.time]

    def spans(self, shown: Mapping[Ledger, int]) -> tuple[Span, ...]:
        """Return the rows that each head reads.

        Args:
            shown: tokens in front of the slots, per ledger.
        """
        spans: dict[int, Span] = {}
        for share in self.shares:
            plan, front = share.arena.plan, shown[share.ledger]
            length = front + share.ledger.slots.used * plan.tokens
            for number, head in enumerate(self._heads(share)):
                first = share.start + number * plan.rows + plan.front - front
                spans[head] = Span(first, length)
        return tuple(spans[head] for head in range(self.heads))

    def ledger_of(self, head: int) -> Ledger:
        """Return the bookkeeping of one head."""
        return next(share.ledger for share in self.shares if head in self._heads(share))

    def _heads(self, share: Share) -> Sequence[int]:
        whole = isinstance(share.heads, slice)
        return range(self.heads)[share.heads] if whole else share.heads
