"""Keys and values in eight bits: codes, and what a block of channels counts in.

A row of a head is divided into blocks of channels; of each block the codes are integers or short
floats, and its scale says what one of them is worth:

    channels   0 .. 31   32 .. 63   64 .. 95   96 .. 127
    codes      int8 or float8_e4m3fn, as many as channels
    scales     s0        s1         s2         s3            bfloat16

Of keys the largest code is as long as the longest pair of channels (2j, 2j + 1) of its block. That
length no rotation changes, so that keys are turned by turning their codes and the scales stay.
"""

from __future__ import annotations

import torch
from torch import Tensor

# smaller blocks cost more scales, larger ones more error where few channels are large
BLOCK = 32
SCALES = torch.bfloat16
# dtype of codes -> the largest that is used
LARGEST = {torch.int8: 127, torch.float8_e4m3fn: 448}


def blocks_of(dim: int) -> int:
    """Return how many scales a row of so many channels has."""
    return -(-dim // BLOCK)


def encoded(x: Tensor, dtype: torch.dtype, *, turns: bool) -> tuple[Tensor, Tensor]:
    """Return codes and scales of rows.

    Args:
        x: ``[..., D]``; of what is not finite the scale is not, and so is all that is read of it.
        dtype: of the codes, one of ``LARGEST``.
        turns: x are keys, whose pairs of channels will be turned.

    Returns:
        ``[..., D]`` and ``[..., D / 32]``, rounded up.
    """
    scales = scales_of(x, dtype, turns=turns)
    return codes_of(x, scales, dtype), scales


def scales_of(x: Tensor, dtype: torch.dtype, *, turns: bool) -> Tensor:
    """Return the scales of rows alone; see ``encoded``."""
    padded = torch.nn.functional.pad(x.float(), (0, -x.shape[-1] % BLOCK))
    if turns:
        lengths = padded.unflatten(-1, (-1, BLOCK // 2, 2)).square().sum(-1).sqrt()
    else:
        lengths = padded.abs().unflatten(-1, (-1, BLOCK))
    return (lengths.amax(-1) / LARGEST[dtype]).to(SCALES)


def codes_of(x: Tensor, scales: Tensor, dtype: torch.dtype) -> Tensor:
    """Return the codes of the first channels of rows whose scales are known.

    Args:
        x: ``[..., channels]``.
        scales: of whole rows, ``[..., blocks]``.
    """
    each = _of_channels(scales, x.shape[-1])
    return rounded(x.float() / torch.where(each == 0, 1, each), dtype)


def rounded(x: Tensor, dtype: torch.dtype) -> Tensor:
    """Round numbers to codes."""
    most = LARGEST[dtype]
    bounded = x.nan_to_num(0.0).clamp(-most, most)
    return (bounded if dtype.is_floating_point else bounded.round()).to(dtype)


def decoded(codes: Tensor, scales: Tensor) -> Tensor:
    """Return what codes stand for, ``[..., channels]`` in float32; they may be a row's first."""
    return codes.float() * _of_channels(scales, codes.shape[-1])


def _of_channels(scales: Tensor, channels: int) -> Tensor:
    """Return the scale of each channel, ``[..., channels]`` in float32."""
    return scales.float().repeat_interleave(BLOCK, -1)[..., :channels]


def check_codes(
    name: str, codes: Tensor, scales: Tensor, where: torch.device, leading: tuple[int, ...]
) -> None:
    """Refuse what are no codes with their scales.

    Args:
        leading: shape of both but for the last dimension.

    Raises:
        ValueError: if so.
    """
    if codes.dtype not in LARGEST:
        known = " or ".join(str(dtype) for dtype in LARGEST)
        raise ValueError(f"{name} must be {known} where it has scales, got {codes.dtype}")
    shape = (*leading, blocks_of(codes.shape[-1]))
    if (tuple(scales.shape), scales.dtype, scales.device) != (shape, SCALES, where):
        raise ValueError(
            f"scales of {name} must be {SCALES} {list(shape)} on {where}, "
            f"got {scales.dtype} {list(scales.shape)} on {scales.device}"
        )
