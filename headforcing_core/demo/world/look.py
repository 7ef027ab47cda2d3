"""What no prompt says: the shades of one clip."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator, Philox, SeedSequence

PALETTE = np.array(
    [
        *([0.95, 0.12, 0.10], [0.12, 0.85, 0.15], [0.15, 0.30, 1.00]),
        *([0.97, 0.93, 0.12], [0.95, 0.15, 0.90], [0.10, 0.90, 0.95]),
    ],
    dtype=np.float32,
)
GROUNDS = np.array(
    [[0.32, 0.32, 0.34], [0.10, 0.13, 0.34], [0.26, 0.30, 0.10], [0.34, 0.20, 0.10]],
    dtype=np.float32,
)
# grounds are not black
DARKEST = 0.02


def generator(*key: int) -> Generator:
    """Return a generator whose draws depend on the whole key."""
    return Generator(Philox(SeedSequence(list(key))))


@dataclass(frozen=True)
class Shades:
    """How far the shades of a clip may be from those of the words. All RGB, 0 to 1.

    Args:
        colour: least factor on a channel of a colour; the most is 1.
        ground: most that a channel of a tint is multiplied by more or less than 1.
        brightness: most that is added to all channels of a tint, or taken away.
        tone: the same of each channel by itself.
    """

    colour: float
    ground: float = 0.0
    brightness: float = 0.0
    tone: float = 0.0


# wide enough to be remembered or not, and no shade of one word is that of another
WIDE = Shades(colour=0.75, brightness=0.08, tone=0.045)
# those of the clips a model learns to draw from
NARROW = Shades(colour=0.8, ground=0.2)


@dataclass(frozen=True)
class Look:
    """What no prompt says and a good memory keeps: the shades of one clip.

    Args:
        colours: ``[6, 3]`` the RGB of each colour name, 0 to 1.
        grounds: ``[4, 3]`` the RGB of each tint.
    """

    colours: np.ndarray
    grounds: np.ndarray

    @classmethod
    def of(cls, seed: int, shades: Shades = WIDE) -> Look:
        """Draw the look of the clip with a seed."""
        rng = generator(seed, 1)

        def between(low: float, high: float, shape: tuple[int, ...]) -> np.ndarray:
            return rng.uniform(low, high, shape).astype(np.float32)

        tints = GROUNDS.shape
        colours = PALETTE * between(shades.colour, 1.0, PALETTE.shape)
        grounds = GROUNDS * between(1 - shades.ground, 1 + shades.ground, tints)
        grounds += between(-shades.brightness, shades.brightness, (len(GROUNDS), 1))
        grounds += between(-shades.tone, shades.tone, tints)
        return cls(colours, np.maximum(grounds, np.float32(DARKEST)))
