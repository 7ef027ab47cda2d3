"""Whether what came back has the shade it had: errors beside those of who remembers nothing."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..world import GROUNDS, PALETTE, RELIEF, WIDE, Scene, Thing, ground_index, index_of, lit
from .detect import Sight
from .memory import shade_of

# a colour's mean factor
MIDDLE = np.float32((1 + WIDE.colour) / 2)


def ground_shade(pictures: Tensor, scene: Scene) -> Tensor:
    """Return the RGB of a scene's ground without its pattern, ``[3]``.

    Args:
        pictures: ``[N, 3, Y, X]``, 0 to 1. Things cover less than half of them, so a median will
            do; a mask of things would take a lit ground for one now and then.
    """
    return (pictures / (1 + RELIEF * lit(scene.texture))).flatten(2).median(2).values.mean(0)


def thing_shade(sight: Sight, thing: Thing) -> Tensor:
    """Return the RGB of a thing, ``[3]``; NaN where it is not in most of the pictures."""
    return shade_of(sight.things[index_of(thing)[0]])


def middle_ground(scene: Scene) -> Tensor:
    """Return the middle of the shades that a scene's ground can have, ``[3]``: the best guess."""
    return torch.from_numpy(GROUNDS[ground_index(scene.tint, scene.texture)[0]])


def middle_thing(thing: Thing) -> Tensor:
    """Return the same of a thing."""
    return torch.from_numpy(PALETTE[index_of(thing)[0]] * MIDDLE)


@dataclass(frozen=True)
class Recollection:
    """One shade of each of several videos, before it went and after it came back.

    Args:
        there: ``[N, 3]`` RGB as it was.
        back: ``[N, 3]`` as it came back; NaN where it did not.
        middle: ``[N, 3]`` the middle of what its word means.
    """

    there: Tensor
    back: Tensor
    middle: Tensor

    @classmethod
    def of(cls, shades: Sequence[tuple[Tensor, Tensor, Tensor]]) -> Recollection:
        """Put videos together, each (there, back, middle); those that were never there are out."""
        known = [shade for shade in shades if not shade[0].isnan().any()]
        if not known:
            nothing = torch.empty(0, 3)
            return cls(nothing, nothing, nothing)
        return cls(*(torch.stack(part) for part in zip(*known, strict=True)))

    @property
    def lost(self) -> float:
        """Share of videos in which it did not come back at all."""
        return _mean(self.back.isnan().any(1).float())

    @property
    def error(self) -> float:
        """Mean absolute difference, 0 to 1; what is lost counts as a stranger."""
        off = (self.back - self.there).abs().mean(1)
        return _mean(torch.where(off.isnan(), self.stranger, off))

    @property
    def stranger(self) -> float:
        """The same between what was there and what came back in all other videos.

        Shades are compared by what they differ from the middles of their words. It is what a shade
        that is made anew scores.
        """
        there, back = self.there - self.middle, self.back - self.middle
        off = (there[:, None] - back[None]).abs().mean(2)
        off.fill_diagonal_(math.nan)
        return float(off.nanmean()) if off.isfinite().any() else math.nan

    @property
    def guess(self) -> float:
        """The same of the middle of its word."""
        return _mean((self.there - self.middle).abs().mean(1))

    @property
    def slope(self) -> float:
        """Slope of what came back on what was there, as differences from the middle.

        1 is recall, 0 a guess.
        """
        known = ~self.back.isnan().any(1)
        there, back = ((x - self.middle)[known] for x in (self.there, self.back))
        spread = there.square().sum()
        return float((there * back).sum() / spread) if spread > 0 else math.nan


def _mean(values: Tensor) -> float:
    return float(values.mean()) if len(values) else math.nan
