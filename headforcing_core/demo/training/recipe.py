"""What decides a training of the demo model."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ...video import TRAINING_STEPS, shifted, warp
from ..networks import FAMILY

# sigmas below this are never met by the steps the model is run with
LEAST_SIGMA = 0.25


@dataclass(frozen=True)
class Stage:
    """A part of the training. Short clips first: where a first chunk is one chunk in four.

    Args:
        until: share of all steps at which it ends.
        chunks: of the clips' beginnings.
        batch: clips per step.
        copies: of every clip, each with its own noise.
    """

    until: float
    chunks: int
    batch: int
    copies: int = 2


@dataclass(frozen=True)
class Recipe:
    """Everything that decides the training besides the clips.

    Args:
        steps: optimiser steps in all.
        seed: of the weights and of every draw; step n draws the same whether or not the training
            was interrupted before it.
        rate: learning rate after warm-up; Muon for the matrices of the blocks, AdamW for the rest.
        decay: share of all steps, at the end, in which the rate falls to nothing.
        average: decay of the running average of the weights, which is what is kept.
        used: share of noise levels drawn from those the model is run with.
        unseen: share of chunks of which nothing is seen but noise, before all other draws: a noisy
            chunk gives its shades away, and whoever sees them needs no memory.
        shift: of all noise levels.
        run_at: the steps the model is run with.
    """

    steps: int
    seed: int = 0
    rate: float = 2e-3
    warm_up: int = 100
    decay: float = 0.4
    average: float = 0.998
    used: float = 0.7
    unseen: float = 0.0
    shift: float = FAMILY.shift
    run_at: tuple[int, ...] = FAMILY.steps
    stages: tuple[Stage, ...] = (Stage(0.6, 4, 12), Stage(1.0, 7, 8))

    def stage(self, step: int) -> Stage:
        return next(s for s in self.stages if step < s.until * self.steps or s is self.stages[-1])

    def rate_at(self, step: int) -> float:
        left = (self.steps - step) / (self.decay * self.steps)
        return self.rate * min(1.0, (step + 1) / self.warm_up, left)

    def sigmas(self, shape: tuple[int, int], rng: torch.Generator) -> Tensor:
        """Draw the noise level of every clip and chunk, ``shape``."""
        levels = warp(self.run_at, self.shift) / TRAINING_STEPS
        used = levels[torch.randint(len(levels), shape, generator=rng)]
        low = LEAST_SIGMA / (self.shift - (self.shift - 1) * LEAST_SIGMA)
        even = low + (1 - low) * torch.rand(shape, generator=rng)
        spread = shifted(even, self.shift)
        drawn = torch.where(torch.rand(shape, generator=rng) < self.used, used, spread)
        if not self.unseen:
            return drawn
        return torch.where(torch.rand(shape, generator=rng) < self.unseen, levels[0], drawn)


def learning(steps: int, seed: int) -> Recipe:
    """Return how a model learns to draw."""
    return Recipe(steps, seed)


def remembering(steps: int, seed: int) -> Recipe:
    """Return how a model that draws learns to remember what no prompt says."""
    return Recipe(steps, seed, rate=1e-3, decay=0.6, unseen=0.25, stages=(Stage(1.0, 7, 8),))


def finishing(steps: int, seed: int) -> Recipe:
    """Return how it then learns to do both, from half the rate to none."""
    return replace(remembering(steps, seed), rate=5e-4, warm_up=50, decay=1.0)
