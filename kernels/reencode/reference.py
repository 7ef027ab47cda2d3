"""The specification: pairs of channels are complex numbers, turned by multiplication."""

from __future__ import annotations

import torch
from torch import Tensor

from ..eight_bits import LARGEST, rounded


def refusal(keys: Tensor, raw: Tensor, slots: Tensor, source: Tensor, turns: Tensor) -> None:
    """It takes everything, everywhere."""


def forward(keys: Tensor, raw: Tensor, slots: Tensor, source: Tensor, turns: Tensor) -> None:
    """Compute in float64 and round once."""
    pages, time = raw[:, :, source].double(), 2 * turns.shape[-1]
    x, y = pages[..., 0:time:2], pages[..., 1:time:2]
    cos, sin = turns.real.double()[:, None], turns.imag.double()[:, None]
    turned = torch.stack([x * cos - y * sin, x * sin + y * cos], -1).flatten(-2)
    pages = torch.cat([turned, pages[..., time:]], -1)
    codes = keys.dtype in LARGEST
    written = rounded(pages, keys.dtype) if codes else pages.to(keys.dtype)
    keys[:, :, slots, :, : raw.shape[-1]] = written
