"""The specification: attention as written on paper, one head at a time, one line per step."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, einsum

from .spans import Span


def refusal(q: Tensor, k_pool: Tensor, v_pool: Tensor, spans: Sequence[Span], scale: float) -> None:
    """It takes everything, everywhere."""


def forward(
    q: Tensor,
    k_pool: Tensor,
    v_pool: Tensor,
    spans: Sequence[Span],
    scale: float,
    table: Tensor | None = None,
    compute: torch.dtype = torch.float64,
) -> Tensor:
    """Compute in ``compute`` throughout; the dtype of ``q`` there gives ordinary eager code."""
    heads = []
    for head, (start, length) in enumerate(spans):
        k = k_pool[:, start : start + length].to(compute)
        v = v_pool[:, start : start + length].to(compute)
        scores = einsum("btd,bsd->bts", q[:, :, head].to(compute), k) * scale
        heads.append(einsum("bts,bsd->btd", scores.softmax(-1), v))
    return torch.stack(heads, 2).to(q.dtype)
