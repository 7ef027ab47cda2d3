"""The portable implementation: a complex multiplication and a copy by PyTorch."""

from __future__ import annotations

from torch import Tensor

from ..rotation import rotate


def refusal(keys: Tensor, raw: Tensor, slots: Tensor, source: Tensor, turns: Tensor) -> None:
    """It takes everything, everywhere."""


def forward(keys: Tensor, raw: Tensor, slots: Tensor, source: Tensor, turns: Tensor) -> None:
    """Compute in float32 and round once."""
    pages, time, channels = raw[:, :, source], 2 * turns.shape[-1], raw.shape[-1]
    if time:
        keys[:, :, slots, :, :time] = rotate(pages[..., :time], turns[:, None])
    if time < channels:
        keys[:, :, slots, :, time:channels] = pages[..., time:]
