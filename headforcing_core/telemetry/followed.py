"""Colours followed from picture to picture: of what stays in view, so that a pan is no drift."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from .pictures import grey_of

# of a side: the camera may move that far from one chunk to the next
FARTHEST = 0.34
# times the usual difference: what differs more is something else now
OUTLYING, LEAST = 2.5, 0.02
# of a difference: more is as wrong
FAR_OFF = 0.1
# a change of all contrast must leave less unexplained than none by that factor
SURER = 0.75
ROUNDS = 3


@dataclass(frozen=True)
class Tones:
    """What a picture would be like if it still showed what the first did, all 0 to 100.

    Args:
        light: mean grey.
        spread: deviation of grey.
        colour: root mean square distance from grey.
    """

    light: float
    spread: float
    colour: float

    def followed(self, before: Tensor, now: Tensor) -> Tones:
        """Carry on to a later picture.

        Args:
            before, now: ``[3, Y, X]`` tiny copies of both.
        """
        one, other = _stayed(before, now)
        light, spread, colour = zip(*map(_tones, (one, other)), strict=True)
        return Tones(
            light=self.light + light[1] - light[0],
            spread=self.spread * _ratio(spread),
            colour=self.colour * _ratio(colour),
        )


def _tones(pixels: Tensor) -> tuple[float, float, float]:
    grey = grey_of(pixels[None])[0]
    colour = (pixels - grey).square().mean().sqrt()
    return tuple(100 * float(x) for x in (grey.mean(), grey.std(correction=0), colour))


def _ratio(pair: tuple[float, float]) -> float:
    # half a step in 255: less is rounding
    before, now = (max(x, 0.2) for x in pair)
    return now / before


def _stayed(before: Tensor, now: Tensor) -> tuple[Tensor, Tensor]:
    """Return the pixels ``[3, N, 1]`` of both that show the same thing."""
    found = [_same(*_laid(before, now, shift)) for shift in {(0, 0), _shift(before, now)}]
    _, one, other = min(found, key=lambda each: each[0])
    return one[..., None], other[..., None]


def _shift(before: Tensor, now: Tensor) -> tuple[int, int]:
    """Return how far the camera moved, in pixels down and across: where both agree best."""
    one, other = (grey_of(x[None])[0] for x in (before, now))
    one, other = one - one.mean(), other - other.mean()
    size = [2 * side for side in one.shape]
    spectrum = torch.fft.rfft2(one, size).conj() * torch.fft.rfft2(other, size)
    agree = torch.fft.irfft2(spectrum, size)
    reach = [int(side * FARTHEST) for side in one.shape]
    down, across = (torch.arange(-far, far + 1) for far in reach)
    agree = agree[down % size[0]][:, across % size[1]]
    rows, columns = one.shape
    common = (rows - down.abs())[:, None] * (columns - across.abs())[None]
    best = int((agree / common).argmax())
    return int(down[best // len(across)]), int(across[best % len(across)])


def _laid(before: Tensor, now: Tensor, shift: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Return what both have in common, ``[3, N]``, if ``now`` is shifted so far."""
    for axis, far in zip((1, 2), shift, strict=True):
        size = before.shape[axis] - abs(far)
        before = before.narrow(axis, max(0, -far), size)
        now = now.narrow(axis, max(0, far), size)
    return before.flatten(1), now.flatten(1)


def _same(before: Tensor, now: Tensor) -> tuple[float, Tensor, Tensor]:
    """Return the usual difference, and the pixels where both show the same in other light."""
    one, other = (grey_of(x[None, ..., None])[0, :, 0] for x in (before, now))
    gain = _gain(one, other)
    shade = (other - gain * one).median()
    for _ in range(ROUNDS):
        wrong = (other - gain * one - shade).abs()
        usual = float(wrong.median())
        kept = wrong <= max(OUTLYING * usual, LEAST)
        deviations = [_deviation(x[kept]) for x in (one, other)]
        gain = deviations[1] / deviations[0]
        shade = other[kept].mean() - gain * one[kept].mean()
    return usual, before[:, kept], now[:, kept]


def _gain(one: Tensor, other: Tensor) -> Tensor:
    """Return whether all contrast has changed, or none but by what came and went."""
    gains = torch.stack([torch.tensor(1.0), _deviation(other) / _deviation(one)])
    rest = other - gains[:, None] * one
    wrong = (rest - rest.median(1, keepdim=True).values).abs().clamp_max(FAR_OFF)
    none, all_ = wrong.mean(1)
    return gains[int(all_ < SURER * none)]


def _deviation(values: Tensor) -> Tensor:
    return values.std(correction=0).clamp_min(1e-3)
