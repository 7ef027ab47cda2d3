"""How a chunk becomes clean: a few calls of a model, from noise down."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from .clock import Chunk
from .noise import NoiseSource
from .schedule import CLEAN, NoiseLevel, add_noise
from .unipc import UniPC

# (noisy latent, level of all frames or of each, number of the call) -> estimate of the clean one
Predict = Callable[[Tensor, "NoiseLevel | Sequence[NoiseLevel]", int], Tensor]


class Denoising(Protocol):
    """A way to make a chunk clean, always the same number of calls.

    levels: one per call, noisiest first.
    """

    @property
    def levels(self) -> tuple[NoiseLevel, ...]: ...

    def draft(
        self, chunk: Chunk, predict: Predict, noise: NoiseSource, held: Tensor | None = None
    ) -> Tensor:
        """Return a chunk's clean latent, ``[B, C, len(chunk), Y, X]``.

        Args:
            noise: on the device of the model.
            held: ``[B, C, n, Y, X]``, first frames of the chunk that are clean already: they are
                shown beside the others in every call.
        """
        ...


@dataclass(frozen=True)
class Renoising:
    """Estimate the clean latent, mix it with fresh noise to the next level, and again.

    Source: the consistency sampling of Self-Forcing (arXiv 2506.08009).
    """

    levels: tuple[NoiseLevel, ...]

    def draft(
        self, chunk: Chunk, predict: Predict, noise: NoiseSource, held: Tensor | None = None
    ) -> Tensor:
        clean = _beside(held, noise.draw(chunk, 0), self.levels[0], predict, 0)
        for step, level in enumerate(self.levels[1:], start=1):
            noisy = add_noise(clean, noise.draw(chunk, step), level)
            clean = _beside(held, noisy, level, predict, step)
        return clean


@dataclass(frozen=True)
class Multistep:
    """Follow the flow with UniPC; nothing is random but the noise a chunk starts from.

    Source: LongLive 2.0 (NVlabs/LongLive), with the solver of arXiv 2302.04867.
    """

    levels: tuple[NoiseLevel, ...]

    def draft(
        self, chunk: Chunk, predict: Predict, noise: NoiseSource, held: Tensor | None = None
    ) -> Tensor:
        solver = UniPC([*(level.sigma for level in self.levels), 0.0])
        noisy = noise.draw(chunk, 0)
        for step, level in enumerate(self.levels):
            noisy = solver.step(_beside(held, noisy, level, predict, step), noisy)
        return noisy if held is None else torch.cat([held, noisy[:, :, held.shape[2] :]], 2)


def _beside(
    held: Tensor | None, noisy: Tensor, level: NoiseLevel, predict: Predict, step: int
) -> Tensor:
    """Predict a chunk whose first frames may be clean already; those come out as they are."""
    if held is None:
        return predict(noisy, level, step)
    known, frames = held.shape[2], noisy.shape[2]
    shown = torch.cat([held, noisy[:, :, known:]], 2)
    clean = predict(shown, [CLEAN] * known + [level] * (frames - known), step)
    return torch.cat([held, clean[:, :, known:]], 2)
