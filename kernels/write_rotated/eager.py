"""The portable implementation: complex multiplications and scattered copies by PyTorch."""

from __future__ import annotations

import torch
from torch import Tensor


def refusal(*call: Tensor) -> None:
    """It takes everything, everywhere."""


def forward(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    rotation: Tensor,
    k_pool: Tensor,
    v_pool: Tensor,
    rows: Tensor,
) -> Tensor:
    """Compute in float32 and round once."""
    page = torch.arange(k.shape[1] // rows.shape[0], device=rows.device)
    places = (rows[:, None] + page[:, None]).flatten()  # of (frame, token, head)
    k_pool.index_copy_(1, places, _rotated(k, rotation).flatten(1, 2))
    v_pool.index_copy_(1, places, v.flatten(1, 2))
    return _rotated(q, rotation)


def _rotated(x: Tensor, rotation: Tensor) -> Tensor:
    pairs = torch.view_as_complex(x.float().unflatten(-1, (-1, 2)))
    return torch.view_as_real(pairs * rotation[:, None]).flatten(-2).to(x.dtype)
