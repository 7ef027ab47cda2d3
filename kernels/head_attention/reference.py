"""The specification: attention as written on paper, one head at a time, one line per step."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, einsum

from .pools import Pools
from .spans import Span


def refusal(q: Tensor, pools: Pools, spans: Sequence[Span], scale: float) -> None:
    """It takes everything, everywhere."""


def forward(
    q: Tensor,
    pools: Pools,
    spans: Sequence[Span],
    scale: float,
    table: Tensor | None = None,
    compute: torch.dtype = torch.float64,
) -> Tensor:
    """Compute in ``compute`` throughout; the dtype of ``q`` there gives ordinary eager code."""
    heads = []
    for head, (start, length) in enumerate(spans):
        k, v = (rows.to(compute) for rows in pools.rows(start, length))
        scores = einsum("btd,bsd->bts", q[:, :, head].to(compute), k) * scale
        heads.append(einsum("bts,bsd->btd", scores.softmax(-1), v))
    return torch.stack(heads, 2).to(q.dtype)
