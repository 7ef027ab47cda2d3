"""Pairs of channels turned as complex numbers, by PyTorch."""

from __future__ import annotations

import torch
from torch import Tensor

from .eight_bits import LARGEST, rounded


def rotate(x: Tensor, rotation: Tensor) -> Tensor:
    """Rotate neighbouring channel pairs (2j, 2j + 1) of ``x`` in float32.

    Args:
        x: ``[..., channels]``.
        rotation: complex64, cos + i sin of each angle; broadcasts against ``[..., channels / 2]``.

    Returns:
        In the dtype of ``x``, rounded once; of codes, see ``eight_bits``, those turned.
    """
    pairs = x.float().unflatten(-1, (-1, 2))
    if any(step % 2 for step in pairs.stride()[:-1]):  # of channels between others, an odd number
        pairs = pairs.contiguous()
    pairs = torch.view_as_complex(pairs)
    turned = torch.view_as_real(pairs * rotation).flatten(-2)
    return rounded(turned, x.dtype) if x.dtype in LARGEST else turned.to(x.dtype)
