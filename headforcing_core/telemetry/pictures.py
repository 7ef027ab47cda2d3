"""What is measured of pictures and of neighbours: on small copies, so that it costs little."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d, avg_pool2d

# halfway between a plain mean and the luma of video standards: saturating about either moves the
# grey of neither much
GREY = (0.31, 0.49, 0.20)
# longest sides: of what colours are measured on, which no blur should change, changes, and details
TINY, COARSE, FINE = 40, 104, 832
# pictures of a chunk whose details are looked at
DETAILED = 3
# structures that are fine, and coarser ones, in pixels
LAGS = (1, 4)
# rows and columns of a thumbnail
THUMB = (9, 16)
# of a picture, 0 to 1: less is no contrast but noise
LEAST_SPREAD = 0.01
# of second differences: what is less is the rounding to 8 bits
ROUNDING = 0.1 / 255


@dataclass(frozen=True)
class Looks:
    """How ``N`` pictures look.

    Args:
        light: ``[N]`` mean grey, 0 to 100.
        spread: ``[N]`` deviation of grey within a picture, 0 to 100.
        colour: ``[N]`` root mean square distance from grey, 0 to 100.
        detail: mean over some pictures of their fine structure, against coarser.
        tone: ``[N, 4]`` mean red, green, blue and the deviation, 0 to 100.
        shape: ``[N, Y, X]`` grey of a coarse copy, of mean 0 and deviation 1.
        thumbs: ``[N, *THUMB]`` the same still coarser.
        tiny: ``[N, 3, Y, X]`` tiny copies, 0 to 1.
    """

    light: Tensor
    spread: Tensor
    colour: Tensor
    detail: float
    tone: Tensor
    shape: Tensor
    thumbs: Tensor
    tiny: Tensor


def looks_of(pictures: Tensor) -> Looks:
    """Measure pictures ``[N, 3, Y, X]``, 0 to 1; results are on the CPU."""
    coarse = _reduced(pictures, COARSE).cpu().float()
    tiny = _reduced(coarse, TINY)
    grey = grey_of(tiny)
    spread = grey.std((1, 2), correction=0)
    shape = _shape(grey_of(coarse)[:, None])
    return Looks(
        light=100 * grey.mean((1, 2)),
        spread=100 * spread,
        colour=100 * (tiny - grey[:, None]).square().mean((1, 2, 3)).sqrt(),
        detail=_detail(pictures),
        tone=100 * torch.cat([tiny.mean((2, 3)), spread[:, None]], 1),
        shape=shape[:, 0],
        thumbs=_shape(adaptive_avg_pool2d(shape, THUMB))[:, 0],
        tiny=tiny,
    )


def grey_of(pictures: Tensor) -> Tensor:
    """Return the grey of pictures ``[N, 3, Y, X]``, ``[N, Y, X]``."""
    return (pictures * torch.tensor(GREY, device=pictures.device)[:, None, None]).sum(1)


def changes(shape: Tensor) -> Tensor:
    """Return how much neighbours of ``[N, Y, X]`` differ, ``[N - 1]``, in deviations."""
    return shape.diff(dim=0).square().mean((1, 2)).sqrt()


def speeds(shape: Tensor) -> Tensor:
    """Return how far things move between neighbours, ``[N - 1]``, in shares of the longer side.

    Change over slope: of a shift it gives the shift, whatever the contrast and the blur.
    """
    # of a single row or column there is no mean
    slopes = [shape.diff(dim=axis).square().mean((1, 2)).nan_to_num() for axis in (1, 2)]
    slope = (slopes[0] + slopes[1]).sqrt()
    slope = (slope[1:] + slope[:-1]) / 2
    return changes(shape) / slope.clamp_min(1e-3) / max(shape.shape[1:])


def _detail(pictures: Tensor) -> float:
    picked = torch.linspace(0, len(pictures) - 1, min(DETAILED, len(pictures))).round().long()
    grey = _reduced(grey_of(pictures[picked].float())[:, None], FINE)[:, 0]
    fine, coarse = (_bend(grey, lag) + ROUNDING for lag in LAGS)
    return float((fine / coarse).mean())


def _bend(grey: Tensor, lag: int) -> Tensor:
    """Return the mean second difference over a lag, ``[N]``, across and down.

    Of its size, not its square: one hard line would outweigh a picture.
    """
    total = torch.zeros(len(grey), device=grey.device)
    for axis in (1, 2):
        size = grey.shape[axis] - 2 * lag
        if size > 0:
            one, middle, other = (grey.narrow(axis, at * lag, size) for at in range(3))
            total = total + (one + other).sub_(middle, alpha=2).abs_().mean((1, 2))
    return total


def _shape(grey: Tensor) -> Tensor:
    centred = grey - grey.mean((2, 3), keepdim=True)
    return centred / centred.std((2, 3), correction=0, keepdim=True).clamp_min(LEAST_SPREAD)


def _reduced(pictures: Tensor, longest: int) -> Tensor:
    """Average squares of pixels, so that the longer side is about so long."""
    factor = max(1, round(max(pictures.shape[2:]) / longest))
    factor = min(factor, *pictures.shape[2:])
    return pictures if factor == 1 else avg_pool2d(pictures, factor)
