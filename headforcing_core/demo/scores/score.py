"""How well pictures show a scene: shares between 0 and 1, against what the world knows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import TypeVar

import torch
from torch import Tensor

from ..world import COLOURS, PACE, STRIDE, Scene, ground_index, index_of
from .detect import Sight, ground_of, name_ground

# a thing may move a little further than its pace: centres are read off pixels
SLACK = 1.5


@dataclass(frozen=True)
class SceneScore:
    """Shares of the pictures (or of the things in them) that show what the scene says.

    Where another thing may cover a thing, its shape and steps are not judged; where it is missing,
    it has no shape. NaN is what could not be judged at all.

    Args:
        found: there are at least as many coloured things as named ones, of whatever colour.
        colour: a thing of the named colour is there, mean over things.
        shape: it has the named shape, mean over things.
        ground: 1 if tint and texture are the named ones.
        smooth: steps no longer than the named pace allows.
        speed: 1 if the middle step is nearer to the named pace than to the other one.
        alone: no colour that was not named.
    """

    found: float
    colour: float
    shape: float
    ground: float
    smooth: float
    speed: float
    alone: float


def mean_score(scores: Sequence[SceneScore]) -> SceneScore:
    """Average scores; what could not be judged in one (NaN) does not count."""
    columns = {
        f.name: torch.tensor([getattr(s, f.name) for s in scores]) for f in fields(SceneScore)
    }
    return SceneScore(**{name: float(column.nanmean()) for name, column in columns.items()})


Scored = TypeVar("Scored", bound=SceneScore)


def settled(score: Scored, truth: SceneScore) -> Scored:
    """Return a score in which nothing is excused that could be judged in the truth.

    A thing that is lost gives nothing to judge: its share is 0, unless the truth has none either.
    """
    excused = {
        f.name: 0.0
        for f in fields(SceneScore)
        if math.isnan(getattr(score, f.name)) and not math.isnan(getattr(truth, f.name))
    }
    return replace(score, **excused)


def sampled(video: Tensor) -> Tensor:
    """Return the last picture of every latent frame of ``[4 (F - 1) + 1, ...]`` pictures.

    A copy: a view would keep all pictures in memory.
    """
    return video[::STRIDE].clone()


def score_scene(sight: Sight, scene: Scene) -> SceneScore:
    """Score pictures, one per latent frame, that should show a scene."""
    there = sight.present
    named = [index_of(thing) for thing in scene.things]
    others = [index for index in range(len(COLOURS)) if index not in dict(named)]
    motion = [_motion(sight, colour, scene) for colour, _ in named]
    return SceneScore(
        found=_share(there.sum(1) >= len(named)),
        colour=_share(there[:, [colour for colour, _ in named]]),
        shape=_mean([_shape(sight, colour, shape) for colour, shape in named]),
        ground=float(name_ground(ground_of(sight)) == ground_index(scene.tint, scene.texture)),
        smooth=_mean([smooth for smooth, _ in motion]),
        speed=_mean([speed for _, speed in motion]),
        alone=_share(~there[:, others].any(1)),
    )


def _shape(sight: Sight, colour: int, shape: int) -> float:
    thing = sight.things[colour]
    # a thing of its size hides no other one for long
    judged = sight.clear(colour) | ~thing.present
    return _share(thing.shape[judged] == shape)


def _motion(sight: Sight, colour: int, scene: Scene) -> tuple[float, float]:
    thing, clear = sight.things[colour], sight.clear(colour)
    steps = torch.hypot(thing.x.diff(), thing.y.diff())[clear[1:] & clear[:-1]]
    if not len(steps):
        return math.nan, math.nan
    furthest = STRIDE * PACE[scene.speed] + SLACK
    middle = float(steps.median()) / STRIDE
    nearest = min(PACE, key=lambda speed: abs(PACE[speed] - middle))
    # standing still is nearest to the slower pace, too
    right = nearest == scene.speed and middle > PACE[scene.speed] / 2
    return _share(steps <= furthest), float(right)


def _share(flags: Tensor) -> float:
    return float(flags.float().mean()) if flags.numel() else math.nan


def _mean(values: Sequence[float]) -> float:
    return float(torch.tensor(values).nanmean())
