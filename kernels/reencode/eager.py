"""The portable implementation: a complex multiplication and a copy by PyTorch."""

from __future__ import annotations

import torch
from torch import Tensor


def refusal(keys: Tensor, raw: Tensor, slots: Tensor, source: Tensor, turns: Tensor) -> None:
    """It takes everything, everywhere."""


def forward(keys: Tensor, raw: Tensor, slots: Tensor, source: Tensor, turns: Tensor) -> None:
    """Compute in float32 and round once."""
    pages, time, channels = raw[:, :, source], 2 * turns.shape[-1], raw.shape[-1]
    if time:
        pairs = torch.view_as_complex(pages[..., :time].float().unflatten(-1, (-1, 2)))
        turned = torch.view_as_real(pairs * turns[:, None]).flatten(-2)
        keys[:, :, slots, :, :time] = turned.to(keys.dtype)
    if time < channels:
        keys[:, :, slots, :, time:channels] = pages[..., time:]
