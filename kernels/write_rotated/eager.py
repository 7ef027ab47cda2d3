"""The portable implementation: complex multiplications and scattered copies by PyTorch."""

from __future__ import annotations

import torch
from torch import Tensor

from .new_tokens import NewTokens


def refusal(new: NewTokens) -> None:
    """It takes everything, everywhere."""


def forward(new: NewTokens) -> Tensor:
    """Compute in float32 and round once."""
    page = torch.arange(new.page, device=new.rows.device)
    places = (new.rows[:, None] + page[:, None]).flatten()  # of (frame, token, head)
    new.k_pool.index_copy_(1, places, _rotated(new.k, new.rotation).flatten(1, 2))
    new.v_pool.index_copy_(1, places, new.v.flatten(1, 2))
    return _rotated(new.q, new.rotation)


def _rotated(x: Tensor, rotation: Tensor) -> Tensor:
    pairs = torch.view_as_complex(x.float().unflatten(-1, (-1, 2)))
    return torch.view_as_real(pairs * rotation[:, None]).flatten(-2).to(x.dtype)
