"""The specification: pairs of channels are complex numbers, and each run of rows is a copy."""

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
    """Compute in float64 and round once."""
    turned, (frames, heads) = _rotated(k, rotation), rows.shape
    page = k.shape[1] // frames
    for frame in range(frames):
        tokens = slice(frame * page, (frame + 1) * page)
        for head in range(heads):
            first = int(rows[frame, head])
            k_pool[:, first : first + page] = turned[:, tokens, head]
            v_pool[:, first : first + page] = v[:, tokens, head]
    return _rotated(q, rotation)


def _rotated(x: Tensor, rotation: Tensor) -> Tensor:
    even, odd = x.double().unflatten(-1, (-1, 2)).unbind(-1)
    cos, sin = (part.double()[:, None] for part in (rotation.real, rotation.imag))
    turned = torch.stack([even * cos - odd * sin, even * sin + odd * cos], -1)
    return turned.flatten(-2).to(x.dtype)
