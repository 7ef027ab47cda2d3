"""The caches of one layer: pools of rows, and who reads which of them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ..device import send
from ..methods import KVDtype
from ..video import Chunk, Rotation
from .arena import Arena
from .boundary import Boundary
from .cache_plan import CachePlan
from .ledger import Ledger
from .pool import Pool, Share, in_order, put_back
from .rotations import Rotations
from .rows import Rows


class LayerCache:
    """Keys and values of one layer.

    Args:
        pools: of heads that are kept alike; together they have all.
        heads: of the layer; where several ranks make the video, of this one.
    """

    def __init__(self, pools: list[Pool], heads: int):
        self.pools, self.heads = pools, heads

    @classmethod
    def allocated(
        cls,
        plan: CachePlan,
        layer: int,
        ledgers: Sequence[Ledger],
        rotations: Rotations,
        boundary: Boundary,
    ) -> LayerCache:
        """Allocate what the heads of one layer will ever need.

        Args:
            ledgers: of the plan's groups.
            rotations: that all layers share.
            boundary: between the device and the host.
        """
        pools = [
            _pool(plan, layer, kept, rows, ledgers, rotations, boundary)
            for kept, rows in plan.pool_rows(layer).items()
        ]
        return cls(pools, plan.heads_in(layer))

    @property
    def shares(self) -> list[Share]:
        """The groups of heads, each with what it has."""
        return [share for pool in self.pools for share in pool.shares]

    @property
    def tensors(self) -> list[Tensor]:
        """Everything that is allocated here, on the device."""
        rows = [x for pool in self.pools for x in (*pool.k.tensors, *pool.v.tensors)]
        return rows + [x for share in self.shares for x in share.arena.beside.tensors]

    @property
    def away(self) -> list[Tensor]:
        """What lies with the host instead."""
        return [x for share in self.shares for x in share.arena.beside.away]

    def write(
        self,
        chunk: Chunk,
        q: Tensor,
        k: Tensor,
        v: Tensor,
        rotation: Rotation,
        rows: Sequence[Tensor],
    ) -> Tensor:
        """Overwrite the open chunk's keys and values; return the queries rotated.

        Args:
            q, k, v: ``[B, len(chunk) * P, H, D]``, unrotated.
            rotation: of the tokens.
            rows: ``chunk_rows`` of each pool, on the device.
        """
        pools = zip(self.pools, rows, strict=True)
        parts = [(pool, pool.write(chunk, q, k, v, rotation, own)) for pool, own in pools]
        return put_back(parts, q)

    def ledger_of(self, head: int) -> Ledger:
        """Return the bookkeeping of one head."""
        return next(share.ledger for share in self.shares if head in share.heads)


def _pool(
    plan: CachePlan,
    layer: int,
    kept: KVDtype,
    rows: int,
    ledgers: Sequence[Ledger],
    rotations: Rotations,
    boundary: Boundary,
) -> Pool:
    """Allocate the rows of those heads of a layer that are kept in ``kept``."""
    shape, device = (plan.batch, rows, plan.geometry.head_dim), boundary.device
    k, v = (Rows.zeros(kept, shape, plan.dtype, device) for _ in "kv")
    shares, start, every = [], 0, plan.heads_in(layer)
    for ledger, group in zip(ledgers, plan.own, strict=True):
        heads = group.heads.get(layer, ())
        if not heads or group.rule.kv_dtype is not kept:
            continue
        room = plan.arena(group)
        own = slice(start, start + len(heads) * room.rows)
        parts = (x.at(slice(None), own).unflatten(1, (len(heads), room.rows)) for x in (k, v))
        index = None if in_order(heads, every) else send(torch.tensor(heads), device)
        arena = Arena(room, *parts, rotations, plan.dtype, boundary)
        shares.append(Share(ledger, heads, index, start, arena))
        start = own.stop
    heads = tuple(sorted(head for share in shares for head in share.heads))
    index = None if in_order(heads, every) else send(torch.tensor(heads), device)
    return Pool(k, v, shares, heads, index)
