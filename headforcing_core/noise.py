"""The random numbers of a rollout."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from numpy.random import SeedSequence
from torch import Tensor

from .clock import Chunk


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
        seed: any non-negative integer.
        batch, channels, rows, columns: the latent's B, C, Y, X.
    """

    seed: int
    batch: int
    channels: int
    rows: int
    columns: int

    def __post_init__(self) -> None:
        if self.seed < 0:
            raise ValueError(f"seed must be a non-negative integer, got {self.seed}")

    def draw(self, chunk: Chunk, step: int) -> Tensor:
        shape = (self.channels, len(chunk), self.rows, self.columns)
        return torch.stack(
            [
                torch.randn(shape, generator=_generator((self.seed, entry, chunk.start, step)))
                for entry in range(self.batch)
            ]
        )


def _generator(key: Sequence[int]) -> torch.Generator:
    # torch seeds of neighbouring integers are not promised to be independent; hash the whole key
    seed = SeedSequence(list(key)).generate_state(2)
    return torch.Generator().manual_seed(int(seed[0]) << 31 ^ int(seed[1]))
