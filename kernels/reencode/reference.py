"""The specification: pairs of channels are complex numbers, turned by multiplication."""

from __future__ import annotations

import torch
from torch import Tensor


def refusal(keys: Tensor, raw: Tensor, slots: Tensor, source: Tensor, turns: Tensor) -> None:
    """It takes everything, everywhere."""


def forward(keys: Tensor, raw: Tensor, slots: Tensor, source: Tensor, turns: Tensor) -> None:
    """Compute in float64 and round once."""
    x, y = raw[:, :, source].double().unflatten(-1, (-1, 2)).unbind(-1)
    cos, sin = turns.real.double()[:, None], turns.imag.double()[:, None]
    turned = torch.stack([x * cos - y * sin, x * sin + y * cos], -1)
    keys[:, :, slots, :, : raw.shape[-1]] = turned.flatten(-2).to(keys.dtype)
