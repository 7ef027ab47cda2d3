"""The specification: every score, then the logarithm of what a frame's scores sum to."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, einsum

from ..head_attention import Span


def refusal(q: Tensor, k_pool: Tensor, spans: Sequence[Span], tokens: int, scale: float) -> None:
    """It takes everything, everywhere."""


def forward(
    q: Tensor,
    k_pool: Tensor,
    spans: Sequence[Span],
    tokens: int,
    scale: float,
    table: Tensor | None = None,
    compute: torch.dtype = torch.float64,
) -> Tensor:
    """Compute in ``compute`` throughout, and return it so."""
    heads = []
    for head, (start, length) in enumerate(spans):
        k = k_pool[:, start : start + length].to(compute)
        scores = einsum("btd,bsd->bts", q[:, :, head].to(compute), k) * scale
        heads.append(scores.unflatten(2, (-1, tokens)).logsumexp(-1))
    return torch.stack(heads, 1)
