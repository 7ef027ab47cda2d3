"""The portable implementation: complex multiplications and scattered copies by PyTorch."""

from __future__ import annotations

import torch
from torch import Tensor

from ..rotation import rotate
from .new_tokens import NewTokens


def refusal(new: NewTokens) -> None:
    """It takes everything, everywhere."""


def forward(new: NewTokens) -> Tensor:
    """Compute in float32 and round once."""
    page = torch.arange(new.page, device=new.rows.device)
    # by index, not index_copy_, which Apple's devices lacked for long, and then had at a crawl
    places = (new.rows[:, None] + page[:, None]).flatten(0, 1)  # [T, H]
    rotation = new.rotation[:, None]
    new.k_pool[:, places] = rotate(new.k, rotation)
    new.v_pool[:, places] = new.v
    return rotate(new.q, rotation)
