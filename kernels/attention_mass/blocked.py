"""The portable implementation: scores of a few frames at a time."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ..head_attention import Span

# scores that exist at a time, per head: 128 MiB in float32
SCORES = 1 << 25


def refusal(q: Tensor, k_pool: Tensor, spans: Sequence[Span], tokens: int, scale: float) -> None:
    """It takes everything, everywhere."""


def forward(
    q: Tensor,
    k_pool: Tensor,
    spans: Sequence[Span],
    tokens: int,
    scale: float,
    table: Tensor | None = None,
) -> Tensor:
    batch, rows, _, _ = q.shape
    at_once = max(1, SCORES // (batch * rows * tokens)) * tokens
    heads = []
    for head, (start, length) in enumerate(spans):
        own = q[:, :, head].float() * scale
        blocks = (
            k_pool[:, first : min(first + at_once, start + length)].float()
            for first in range(start, start + length, at_once)
        )
        scores = ((own @ k.transpose(1, 2)).unflatten(2, (-1, tokens)) for k in blocks)
        heads.append(torch.cat([s.logsumexp(-1) for s in scores], -1))
    return torch.stack(heads, 1)
