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
    # by index, not index_copy_, which Apple's devices lacked for long, and then had at a crawl
    places = (new.rows[:, None] + page[:, None]).flatten(0, 1)  # [T, H]
    new.k_pool[:, places] = _rotated(new.k, new.rotation)
    new.v_pool[:, places] = new.v
    return _rotated(new.q, new.rotation)


def _rotated(x: Tensor, rotation: Tensor) -> Tensor:
    pairs = torch.view_as_complex(x.float().unflatten(-1, (-1, 2)))
    return torch.view_as_real(pairs * rotation[:, None]).flatten(-2).to(x.dtype)
