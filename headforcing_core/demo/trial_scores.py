"""Scores of one video of a trial, and their average."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import torch
from torch import Tensor

from ..drift import appearance, drift
from .detect import find
from .memory import delay, ground_change, reappearances, shade_changes
from .pictures import lit
from .scene import TEXTURES
from .score import score_scene
from .stories import LEAVES, RETURNS, Trial
from .training_data import CHUNK, FRAMES
from .world import HELD_OUT, RELIEF, Look, ground_index, index_of

# frames of the first and the last stretch that are held against each other; the first is the
# horizon, where all methods are alike
FIRST, LAST = FRAMES, 24


@dataclass(frozen=True)
class Steady:
    """One video of a prompt that never changes, up to some length. Drift is last against first.

    Args:
        colour, shape, ground, alone, speed: see ``SceneScore``, in the last stretch.
        hidden, kept: things that came out from behind another, and those that were still the same.
        ground_drift: mean absolute difference of the ground, 0 to 1.
        shade_drift: RGB distance of a thing's colour, mean over things.
        lightness, contrast, chroma, sharpness, motion: see ``Drift``.
    """

    colour: float
    shape: float
    ground: float
    alone: float
    speed: float
    hidden: float
    kept: float
    ground_drift: float
    shade_drift: float
    lightness: float
    contrast: float
    chroma: float
    sharpness: float
    motion: float


@dataclass(frozen=True)
class Away:
    """One video in which a thing and the ground were away and came back.

    Args:
        delay: chunks until a new prompt is obeyed, mean over the changes; those never obeyed apart.
        obeyed: share of the changes that are obeyed before the next one.
        back: 1 if the thing that left is there again, in most pictures.
        thing_return: RGB distance between the thing that left and the one that came back.
        ground_return: the same of the ground: mean absolute difference.
    """

    delay: float
    obeyed: float
    back: float
    thing_return: float
    ground_return: float


def score_steady(pictures: Tensor, trial: Trial) -> Steady:
    """Score pictures ``[F, 3, Y, X]``, one per latent frame, of the trial's steady story."""
    first, last = pictures[:FIRST], pictures[-LAST:]
    scene = score_scene(last, trial.scene)
    changed = drift(appearance(first), appearance(last))
    again = reappearances(pictures, trial.scene)
    return Steady(
        colour=scene.colour,
        shape=scene.shape,
        ground=scene.ground,
        alone=scene.alone,
        speed=scene.speed,
        hidden=float(again.seen),
        kept=again.kept / again.seen if again.seen else math.nan,
        ground_drift=ground_change(first, last),
        shade_drift=_mean(shade_changes(first, last, trial.scene)),
        lightness=changed.lightness,
        contrast=changed.contrast,
        chroma=changed.chroma,
        sharpness=changed.sharpness,
        motion=changed.motion,
    )


def score_away(pictures: Tensor, trial: Trial) -> Away:
    """Score pictures ``[F, 3, Y, X]``, one per latent frame, of the trial's away story."""
    frames = len(pictures)
    cuts = [cut for cut in trial.away if cut.start < frames]
    ends = [cut.start for cut in cuts[1:]] + [frames]
    delays = [
        delay(pictures[cut.start : end], cut.scene, CHUNK)
        for cut, end in zip(cuts[1:], ends[1:], strict=True)
    ]
    back = max(start for start in RETURNS if start < frames)
    before, after = pictures[: LEAVES[0]], pictures[back:frames]
    (thing, *_) = shade_changes(before, after, trial.scene)
    colour, _ = index_of(trial.scene.things[0])
    return Away(
        delay=_mean([d for d in delays if math.isfinite(d)]),
        obeyed=sum(map(math.isfinite, delays)) / len(delays),
        back=float(find(after)[colour].present.float().mean() > 0.5),
        thing_return=thing,
        ground_return=ground_change(before, after),
    )


def score_stranger(trial: Trial, others: int = 20) -> dict[str, float]:
    """Return what a return scores if nothing is remembered: shades drawn anew."""
    (colour, _), number = index_of(trial.scene.things[0]), HELD_OUT + trial.number
    tint, texture = ground_index(trial.scene.tint, trial.scene.texture)
    own, strange = Look.of(number), [Look.of(number + 1 + other) for other in range(others)]
    relief = 1 + RELIEF * float(lit(TEXTURES[texture]).mean())
    shades = [np.linalg.norm(own.colours[colour] - look.colours[colour]) for look in strange]
    grounds = [np.abs(own.grounds[tint] - look.grounds[tint]).mean() * relief for look in strange]
    return {"thing_return": float(np.mean(shades)), "ground_return": float(np.mean(grounds))}


@dataclass(frozen=True)
class Spread:
    """A mean over prompts and seeds, and the standard deviation of the seeds' means."""

    mean: float
    seeds: float


def spread(by_seed: Sequence[Sequence[Steady]] | Sequence[Sequence[Away]]) -> dict[str, Spread]:
    """Average scores ``[seed][prompt]``; what was not measured (NaN) does not count.

    How often a thing was hidden weighs how often it was kept: both are counted over all prompts.
    """
    result = {}
    for field in fields(by_seed[0][0]):
        means = torch.tensor([_mean([getattr(s, field.name) for s in seed]) for seed in by_seed])
        known = means[~means.isnan()]
        deviation = float(known.std()) if len(known) > 1 else math.nan
        result[field.name] = Spread(float(known.mean()) if len(known) else math.nan, deviation)
    return result


def _mean(values: Sequence[float]) -> float:
    known = [value for value in values if not math.isnan(value)]
    return sum(known) / len(known) if known else math.nan
