"""The random numbers of a rollout."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from numpy import float32
from numpy.random import Generator, Philox, SeedSequence
from torch import Tensor

from ..files import shown
from .clock import Chunk

# what a host's widget of a seed has, and all that torch takes
MOST_SEED = 2**64 - 1


class NoiseSource(Protocol):
    """Draws for one video. Step 0 is the noise a chunk starts from, step n the n-th re-noising."""

    def draw(self, chunk: Chunk, step: int) -> Tensor:
        """Return standard normal ``[B, C, len(chunk), Y, X]``, float32 on the CPU."""
        ...


@dataclass(frozen=True)
class SeededNoise:
    """Noise that depends on (seed, batch entry, first frame of the chunk, step) and nothing else.

    A longer video with the same seed therefore begins with the same frames, a batch entry is the
    same in any batch, and a rollout can be resumed at any chunk. Drawn on the CPU, so that every
    device starts from the same numbers.

    Args:
        seed: 0 to 2^64 - 1.
        batch, channels, rows, columns: the latent's B, C, Y, X.
        entry: number of the first of them in a larger batch that is made in parts.
    """

    seed: int
    batch: int
    channels: int
    rows: int
    columns: int
    entry: int = 0

    def __post_init__(self) -> None:
        check_seed(self.seed)

    def draw(self, chunk: Chunk, step: int) -> Tensor:
        shape = (self.channels, len(chunk), self.rows, self.columns)
        keys = (
            (self.seed, entry, chunk.start, step)
            for entry in range(self.entry, self.entry + self.batch)
        )
        return torch.stack([_normal(key, shape) for key in keys])


def check_seed(seed: int) -> None:
    """Refuse a seed that is negative or has more than 64 bits.

    Raises:
        ValueError: if it is.
    """
    if not 0 <= seed <= MOST_SEED:
        raise ValueError(f"seed must be a non-negative integer below 2**64, got {shown(seed)}")


def _normal(key: Sequence[int], shape: Sequence[int]) -> Tensor:
    # numpy hashes the whole key into a 128-bit state; torch's CPU generator takes 32 bits of a
    # seed, too few for the thousands of draws of a long video to be all different
    generator = Generator(Philox(SeedSequence(list(key))))
    return torch.from_numpy(generator.standard_normal(shape, dtype=float32))
