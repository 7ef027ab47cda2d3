"""The portable implementation: complex multiplications and scattered copies by PyTorch."""

from __future__ import annotations

import torch
from torch import Tensor

from ..eight_bits import codes_of, encoded, scales_of
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
    k, v = rotate(new.k if new.codes is None else new.k.float(), rotation), new.v
    if new.codes is not None:
        # lengths of pairs are those of the keys before they were turned
        scales = scales_of(new.k, new.codes, turns=True)
        new.k_scales[:, places], k = scales, codes_of(k, scales, new.codes)
        v, new.v_scales[:, places] = encoded(v, new.codes, turns=False)
    new.k_pool[:, places], new.v_pool[:, places] = k, v
    return rotate(new.q, rotation)
