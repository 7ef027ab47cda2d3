"""The specification: pairs of channels are complex numbers, and each run of rows is a copy."""

from __future__ import annotations

import torch
from torch import Tensor

from .new_tokens import NewTokens


def refusal(new: NewTokens) -> None:
    """It takes everything, everywhere."""


def forward(new: NewTokens) -> Tensor:
    """Compute in float64 and round once."""
    turned, (frames, heads) = _rotated(new.k, new.rotation), new.rows.shape
    for frame in range(frames):
        tokens = slice(frame * new.page, (frame + 1) * new.page)
        for head in range(heads):
            first = int(new.rows[frame, head])
            new.k_pool[:, first : first + new.page] = turned[:, tokens, head]
            new.v_pool[:, first : first + new.page] = new.v[:, tokens, head]
    return _rotated(new.q, new.rotation)


def _rotated(x: Tensor, rotation: Tensor) -> Tensor:
    even, odd = x.double().unflatten(-1, (-1, 2)).unbind(-1)
    cos, sin = (part.double()[:, None] for part in (rotation.real, rotation.imag))
    turned = torch.stack([even * cos - odd * sin, even * sin + odd * cos], -1)
    return turned.flatten(-2).to(x.dtype)
