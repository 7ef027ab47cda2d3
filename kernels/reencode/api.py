"""Signature, checks and choice of implementation."""

from __future__ import annotations

from enum import Enum
from types import ModuleType

import torch
from torch import Tensor

from ..triton_choice import chooses_triton, triton_file
from . import eager, reference


class ReencodeImpl(Enum):
    """Which code computes the result. The mathematics is the same."""

    REFERENCE = "reference"
    EAGER = "eager"
    TRITON = "triton"


def reencode(
    keys: Tensor,
    raw: Tensor,
    slots: Tensor,
    source: Tensor,
    turns: Tensor,
    *,
    impl: ReencodeImpl | None = None,
) -> None:
    """Overwrite channels of pages in slots by raw ones, the first of them turned to new positions.

    Page ``source[m]`` of ``raw``, its time channels turned by ``turns[m]``, becomes the first
    channels of slot ``slots[m]`` of ``keys``; nothing else is written. Neighbouring channels (2j,
    2j + 1) are one complex number; it is turned in float32 and rounded once. Of keys in eight bits
    the codes are turned, and what they count in stays what it is.

    Args:
        keys: ``[B, G, slots, P, D]``, any strides; changed in place.
        raw: ``[B, G, pages, P, channels]``, dtype and device of ``keys``.
        slots, source: ``[M]`` integers on the device of ``keys``; no slot twice. What they say is
            not checked.
        turns: ``[M, time / 2]`` complex64 on the device of ``keys``, cos + i sin of each angle, for
            up to all channels; with none, pages are copied.
        impl: None chooses. A named one runs or is refused, never replaced.

    Raises:
        ValueError: if shapes, dtypes or devices disagree, or the named implementation does not take
            such tensors.
        RuntimeError: if this machine cannot run the named implementation.
    """
    _check(keys, raw, slots, source, turns)
    if slots.numel() == 0 or raw.numel() == 0:
        return
    code = _code(impl or _chosen(keys, raw, slots, source, turns))
    if impl and (error := code.refusal(keys, raw, slots, source, turns)):
        raise error
    code.forward(keys, raw, slots, source, turns)


def _chosen(
    keys: Tensor, raw: Tensor, slots: Tensor, source: Tensor, turns: Tensor
) -> ReencodeImpl:
    call, on = (keys, raw, slots, source, turns), (keys.device, keys.dtype, raw.shape[-1])
    chosen = chooses_triton(__package__, call, on)
    return ReencodeImpl.TRITON if chosen else ReencodeImpl.EAGER


def _code(impl: ReencodeImpl) -> ModuleType:
    match impl:
        case ReencodeImpl.REFERENCE:
            return reference
        case ReencodeImpl.EAGER:
            return eager
        case ReencodeImpl.TRITON:
            return triton_file(__package__)


def _check(keys: Tensor, raw: Tensor, slots: Tensor, source: Tensor, turns: Tensor) -> None:
    moved, channels = slots.shape, raw.shape[-1]
    if raw.shape[:2] != keys.shape[:2] or raw.shape[3] != keys.shape[3]:
        raise ValueError(
            f"raw must have shape [B, G, pages, P, channels] as keys {list(keys.shape)} has, "
            f"got {list(raw.shape)}"
        )
    if channels > keys.shape[-1]:
        raise ValueError(f"raw must have up to {keys.shape[-1]} channels, got {channels}")
    if source.shape != moved or slots.dim() != 1:
        raise ValueError(
            f"source must name a page for each of {list(moved)} slots, got {list(source.shape)}"
        )
    fits = turns.dim() == 2 and turns.shape[0] == moved[0] and 2 * turns.shape[1] <= channels
    if not fits or turns.dtype != torch.complex64:
        raise ValueError(
            f"turns must be complex64 [{moved[0]}, up to {channels // 2}], "
            f"got {turns.dtype} {list(turns.shape)}"
        )
    if raw.dtype != keys.dtype:
        raise ValueError(f"raw must be {keys.dtype} like keys, got {raw.dtype}")
    others = {"raw": raw, "slots": slots, "source": source, "turns": turns}
    for name, x in others.items():
        if x.device != keys.device:
            raise ValueError(f"{name} must be on {keys.device} like keys, got {x.device}")
