"""Noise levels of a few-step model."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from ..bounds import check_within
from ..device import send
from ..files import shown

TRAINING_STEPS = 1000
# beyond these all steps fall together in float32
SHIFTS = (0.01, 100)
# the noisiest level of a solver of the flow: at 1 its signal-to-noise ratio would have no logarithm
NOISIEST = 0.999
# levels that an error repeats
SHOWN = 8


class NoiseLevel(NamedTuple):
    """How noisy a latent is: ``latent = (1 - sigma) * clean + sigma * noise``.

    sigma: 1 is noise, 0 is clean.
    timestep: what the model is told, 0 to 1000. It is ``1000 * sigma``, except off the original's
        table, where the two are rounded apart (its timestep 0 stands for sigma 0.00498).
    """

    sigma: float
    timestep: float


CLEAN = NoiseLevel(0.0, 0.0)


def sigma_table(shift: float) -> Tensor:
    """Return the 1000 sigmas of flow matching with a timestep shift, descending, float32.

    Source: Self-Forcing (arXiv 2506.08009), its FlowMatchScheduler.
    """
    check_within("shift", shift, *SHIFTS)
    even = torch.linspace(1.0, 0.0, TRAINING_STEPS + 1)[:-1]
    return shifted(even, shift)


def shifted(even: Tensor, shift: float) -> Tensor:
    """Move noise levels 0 to 1 towards noise, as a timestep shift does."""
    return shift * even / (1 + (shift - 1) * even)


def warp(steps: Sequence[int], shift: float) -> Tensor:
    """Turn evenly counted steps into timesteps: ``warp([1000, 750], 5)`` is ``[1000, 937.5]``.

    Args:
        steps: integers from 1000 (noise) down to 0.

    Returns:
        ``[len(steps)]`` float32, 0 to 1000; never rounded, the model hears 833.333.
    """
    if not steps or any(not 0 <= s <= TRAINING_STEPS or s != int(s) for s in steps):
        raise ValueError(f"steps must be integers from {TRAINING_STEPS} to 0, got {_listed(steps)}")
    timesteps = torch.cat([sigma_table(shift) * TRAINING_STEPS, torch.zeros(1)])
    return timesteps[TRAINING_STEPS - torch.tensor([int(s) for s in steps])]


def sigma_at(timestep: float, shift: float) -> float:
    """Return the sigma of the table entry nearest to ``timestep``, as the original looks it up."""
    sigmas = sigma_table(shift)
    return sigmas[(sigmas * TRAINING_STEPS - timestep).abs().argmin()].item()


def noise_levels(steps: Sequence[int], shift: float) -> tuple[NoiseLevel, ...]:
    """Return the levels at which a chunk is denoised, noisiest first.

    Args:
        steps: as a model's configuration lists them, e.g. 1000, 750, 500, 250.
        shift: timestep shift the model was trained with.

    Raises:
        ValueError: if the steps do not descend.
    """
    if list(steps) != sorted(set(steps), reverse=True):
        raise ValueError(f"steps must descend from noise to clean, got {_listed(steps)}")
    return tuple(NoiseLevel(sigma_at(t, shift), t) for t in warp(steps, shift).tolist())


def levels_at(sigmas: Sequence[float]) -> tuple[NoiseLevel, ...]:
    """Return the levels of noise levels that are chosen freely; a last 0 is where they lead to.

    Raises:
        ValueError: if they do not begin at 1, pure noise, or do not descend within 1 to 0.
    """
    chosen = list(sigmas[:-1] if sigmas and sigmas[-1] == 0 else sigmas)
    descending = chosen == sorted(set(chosen), reverse=True)
    if not descending or chosen[:1] != [1.0] or not all(0 < sigma <= 1 for sigma in chosen):
        raise ValueError(
            f"sigmas must descend from 1, as every chunk starts as pure noise, to 0, "
            f"got {_listed(round(sigma, 4) for sigma in sigmas)}"
        )
    return tuple(NoiseLevel(sigma, TRAINING_STEPS * sigma) for sigma in chosen)


def truncated_levels(steps: Sequence[float], shift: float) -> tuple[NoiseLevel, ...]:
    """Return the levels of a solver of the flow, whose model was told whole timesteps.

    Args:
        steps: from 1000 down; the first is a little less than noise.

    Source: the UniPC scheduler of Wan 2.1 (arXiv 2503.20314), as LongLive 2.0 runs it.
    """
    check_within("shift", shift, *SHIFTS)
    if list(steps) != sorted(set(steps), reverse=True) or not all(
        0 < step <= TRAINING_STEPS for step in steps
    ):
        raise ValueError(f"steps must descend from {TRAINING_STEPS} to 0, got {_listed(steps)}")
    even = [NOISIEST * step / TRAINING_STEPS for step in steps]
    sigmas = [shift * s / (1 + (shift - 1) * s) for s in even]
    return tuple(NoiseLevel(sigma, int(TRAINING_STEPS * sigma)) for sigma in sigmas)


def _listed(values: Iterable[float]) -> str:
    texts = [shown(value) for value in values]
    if len(texts) > SHOWN:
        texts = [*texts[:SHOWN], f"... {len(texts)} in all"]
    return f"[{', '.join(texts)}]"


def each_frame(level: NoiseLevel | Sequence[NoiseLevel], frames: int) -> Sequence[NoiseLevel]:
    """Return the level of every frame, where one may stand for all."""
    return [level] * frames if isinstance(level, NoiseLevel) else level


def sigmas_of(levels: Sequence[NoiseLevel], like: Tensor) -> Tensor:
    """Return the sigmas of frames, ``[F, 1, 1]``, to go with a latent ``[B, C, F, Y, X]``."""
    return torch.tensor([level.sigma for level in levels], dtype=like.dtype).view(-1, 1, 1)


def add_noise(clean: Tensor, noise: Tensor, level: NoiseLevel) -> Tensor:
    """Mix ``clean`` and ``noise`` (same shape) to the given level."""
    return (1 - level.sigma) * clean + level.sigma * noise


def remove_flow(noisy: Tensor, flow: Tensor, level: NoiseLevel | Sequence[NoiseLevel]) -> Tensor:
    """Return the clean latent that a flow (noise - clean) points to.

    Args:
        noisy, flow: ``[B, C, F, Y, X]``.
        level: of all frames, or one for each.
    """
    if isinstance(level, NoiseLevel):
        return noisy - level.sigma * flow
    return noisy - send(sigmas_of(level, noisy), noisy.device) * flow
