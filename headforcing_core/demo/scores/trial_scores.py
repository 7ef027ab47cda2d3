"""Scores of one video of a trial, and their average."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields

import numpy as np
import torch

from ...video import appearance, drift, seam_ratio
from ..networks import FAMILY
from ..world import HELD_OUT, RELIEF, TEXTURES, Look, Thing, ground_index, index_of, lit
from .detect import Sight
from .memory import delay, disappearances, ground_change, shade_changes
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


@dataclass(frozen=True)
class Away:
    """One video in which a thing and the ground were away and came back.

    Args:
        delay: chunks until a new prompt is obeyed, mean over the changes; one that never is counts
            with all its chunks.
        obeyed: share of the changes that are obeyed before the next one.
        back: 1 if the thing that left is there again, in most pictures.
        thing_return: RGB distance between the thing that left and the one that came back; one that
            did not counts as a stranger.
        ground_return: the same of the ground: mean absolute difference.
        later_return: the same of the ground that was first seen after the beginning.
    """

    delay: float
    obeyed: float
    back: float
    thing_return: float
    ground_return: float
    later_return: float


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
        shade_drift=_mean([_or_stranger(shade, trial, thing) for shade, thing in shades]),
        **asdict(changed),
        seams=seam_ratio(last.pictures, FAMILY.frames_per_chunk),
    )


def score_away(sight: Sight, trial: Trial) -> Away:
    """Score pictures, one per latent frame, of the trial's away story.

    Stretches of less than LAST frames do not count.
    """
    frames, chunk = len(sight), FAMILY.frames_per_chunk
    cuts = [cut for cut in trial.away if cut.start + LAST <= frames]
    ends = [*(cut.start for cut in cuts[1:]), frames]
    parts = [sight[cut.start : end] for cut, end in zip(cuts, ends, strict=True)]
    delays = [
        min(delay(part, cut.scene, chunk), len(part) / chunk)
        for part, cut in zip(parts[1:], cuts[1:], strict=True)
    ]
    obeyed = [late < len(part) / chunk for part, late in zip(parts[1:], delays, strict=True)]
    here, there = parts[0::2], parts[1::2]
    thing = trial.scene.things[0]
    shade, *_ = shade_changes(here[0], here[-1], trial.scene)
    back = here[-1].things[index_of(thing)[0]].present.float().mean()
    return Away(
        delay=_mean(delays),
        obeyed=_mean(obeyed),
        back=float(back > 0.5),
        thing_return=_or_stranger(shade, trial, thing),
        ground_return=ground_change(here[0], here[-1]),
        later_return=ground_change(there[0], there[-1]) if len(there) > 1 else math.nan,
    )


def stranger_shade(trial: Trial, thing: Thing) -> float:
    """Return how far off a thing's shade is, on average, if it is drawn anew from the world."""
    (colour, _), (own, *others) = index_of(thing), _looks(trial)
    return float(np.mean([np.linalg.norm(own.colours[colour] - o.colours[colour]) for o in others]))


def stranger_ground(trial: Trial) -> float:
    """Return the same of the ground."""
    tint, texture = ground_index(trial.scene.tint, trial.scene.texture)
    own, *others = _looks(trial)
    relief = 1 + RELIEF * float(lit(TEXTURES[texture]).mean())
    return relief * float(np.mean([np.abs(own.grounds[tint] - o.grounds[tint]) for o in others]))


def _looks(trial: Trial) -> list[Look]:
    return [Look.of(HELD_OUT + trial.number + other) for other in range(1 + STRANGERS)]


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


def average(by_seed: Sequence[Sequence[Steady]] | Sequence[Sequence[Away]]) -> dict[str, Spread]:
    """Average scores ``[seed][prompt]``.

    ``kept`` becomes a share of all that was hidden in the videos of a seed.
    """
    result = {}
    for field in fields(by_seed[0][0]):
        means = [_mean([getattr(score, field.name) for score in seed]) for seed in by_seed]
        result[field.name] = spread_of(means)
    if "kept" in result:
        hidden = [sum(score.hidden for score in seed) for seed in by_seed]
        kept = [sum(score.kept for score in seed) for seed in by_seed]
        shares = [k / h if h else math.nan for k, h in zip(kept, hidden, strict=True)]
        result["kept"] = spread_of(shares)
    return result


def _mean(values: Sequence[float]) -> float:
    known = [value for value in values if not math.isnan(value)]
    return sum(known) / len(known) if known else math.nan
