"""Scores of one video of a trial, and their average."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields

import numpy as np
import torch

from ...video import appearance, drift, seam_ratio
from ..networks import FAMILY
from ..world import HELD_OUT, Look, Thing, index_of
from .detect import Sight
from .memory import disappearances, ground_change, shade_changes
from .score import SceneScore, score_scene
from .stories import Trial

# frames of the first and the last stretch that are held against each other; in the first all
# methods are alike: it is as long as LongLive's window (arXiv 2509.22622), the shortest; what comes
# shorter than the last is not scored
FIRST, LAST = 12, 24
STRANGERS = 20


@dataclass(frozen=True)
class Steady(SceneScore):
    """One video of a prompt that never changes. Drift is the last stretch against the first.

    The shares of ``SceneScore`` are those of the last stretch.

    Args:
        hidden, kept: see ``Disappearances``, in the whole video.
        ground_drift: mean absolute difference of the ground, 0 to 1.
        shade_drift: RGB distance of a thing's colour, mean over things; a lost one counts as a
            stranger.
        lightness, contrast, chroma, sharpness, motion, flicker: see ``Drift``.
        seams: see ``seam_ratio``, of the last stretch.
    """

    hidden: float
    kept: float
    ground_drift: float
    shade_drift: float
    lightness: float
    contrast: float
    chroma: float
    sharpness: float
    motion: float
    flicker: float
    seams: float


def score_steady(sight: Sight, trial: Trial) -> Steady:
    """Score pictures, one per latent frame, of the trial's steady story."""
    first, last = sight[:FIRST], sight[-LAST:]
    gone = disappearances(sight, trial.scene)
    shades = zip(shade_changes(first, last, trial.scene), trial.scene.things, strict=True)
    changed = drift(appearance(first.pictures), appearance(last.pictures))
    return Steady(
        **asdict(score_scene(last, trial.scene)),
        hidden=float(gone.seen),
        kept=float(gone.kept),
        ground_drift=ground_change(first, last),
        shade_drift=mean_of([_or_stranger(shade, trial, thing) for shade, thing in shades]),
        **asdict(changed),
        seams=seam_ratio(last.pictures, FAMILY.frames_per_chunk),
    )


def stranger_shade(trial: Trial, thing: Thing) -> float:
    """Return how far off a thing's shade is, on average, if it is drawn anew from the world."""
    (colour, _) = index_of(thing)
    own, *others = (Look.of(HELD_OUT + trial.number + other) for other in range(1 + STRANGERS))
    return float(np.mean([np.linalg.norm(own.colours[colour] - o.colours[colour]) for o in others]))


def _or_stranger(shade: float, trial: Trial, thing: Thing) -> float:
    return stranger_shade(trial, thing) if math.isnan(shade) else shade


@dataclass(frozen=True)
class Spread:
    """A mean over prompts and seeds, and the standard deviation of the seeds' means."""

    mean: float
    seeds: float


def spread_of(means: Sequence[float]) -> Spread:
    """Average the means of several seeds; what was not measured (NaN) does not count."""
    known = torch.tensor([mean for mean in means if not math.isnan(mean)])
    if not len(known):
        return Spread(math.nan, math.nan)
    return Spread(float(known.mean()), float(known.std()) if len(known) > 1 else math.nan)


def average(by_seed: Sequence[Sequence[Steady]]) -> dict[str, Spread]:
    """Average scores ``[seed][prompt]``.

    ``kept`` becomes a share of all that was hidden in the videos of a seed.
    """
    result = {}
    for field in fields(by_seed[0][0]):
        means = [mean_of([getattr(score, field.name) for score in seed]) for seed in by_seed]
        result[field.name] = spread_of(means)
    hidden = [sum(score.hidden for score in seed) for seed in by_seed]
    kept = [sum(score.kept for score in seed) for seed in by_seed]
    shares = [k / h if h else math.nan for k, h in zip(kept, hidden, strict=True)]
    return {**result, "kept": spread_of(shares)}


def mean_of(values: Sequence[float]) -> float:
    """Return the mean of what was measured, of values that may be NaN."""
    known = [value for value in values if not math.isnan(value)]
    return sum(known) / len(known) if known else math.nan
