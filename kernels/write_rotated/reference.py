"""The specification: pairs of channels are complex numbers, and each run of rows is a copy."""

from __future__ import annotations

import torch
from torch import Tensor

from ..eight_bits import codes_of, scales_of
from .new_tokens import NewTokens


def refusal(new: NewTokens) -> None:
    """It takes everything, everywhere."""


def forward(new: NewTokens) -> Tensor:
    """Compute in float64 and round once."""
    k, v = _rotated(new.k, new.rotation), new.v
    if new.codes is None:
        written = [(new.k_pool, k.to(new.k.dtype)), (new.v_pool, v)]
    else:
        k_scales = scales_of(new.k, new.codes, turns=True)
        v_scales = scales_of(v, new.codes, turns=False)
        written = [(new.k_pool, codes_of(k, k_scales, new.codes)), (new.k_scales, k_scales)]
        written += [(new.v_pool, codes_of(v, v_scales, new.codes)), (new.v_scales, v_scales)]
    frames, heads = new.rows.shape
    for frame in range(frames):
        tokens = slice(frame * new.page, (frame + 1) * new.page)
        for head in range(heads):
            first = int(new.rows[frame, head])
            for pool, x in written:
                pool[:, first : first + new.page] = x[:, tokens, head]
    return _rotated(new.q, new.rotation).to(new.q.dtype)


def _rotated(x: Tensor, rotation: Tensor) -> Tensor:
    even, odd = x.double().unflatten(-1, (-1, 2)).unbind(-1)
    cos, sin = (part.double()[:, None] for part in (rotation.real, rotation.imag))
    turned = torch.stack([even * cos - odd * sin, even * sin + odd * cos], -1)
    return turned.flatten(-2)
