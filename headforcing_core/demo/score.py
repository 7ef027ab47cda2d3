"""How well pictures show a scene: shares between 0 and 1, against what the world knows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import TypeVar

import torch
from torch import Tensor

from .detect import Sight, ground_of, look_at, name_ground
from .scene import COLOURS, Scene
from .world import PACE, STRIDE, ground_index, index_of

# a thing may move a little further than its pace: centres are read off pixels
SLACK = 1.5
FASTEST_FACTOR = 1.15


@dataclass(frozen=True)
class SceneScore:
    """Shares of the pictures (or of the things in them) that show what the scene says.

    Where another thing or a pillar may cover a thing, its shape and steps are not judged; where it
    is missing without such an excuse, it has no shape. NaN is what could not be judged at all.

    Args:
        found: there are at least as many coloured things as named ones, of whatever colour.
        colour: a thing of the named colour is there, mean over things.
        shape: it has the named shape, mean over things.
        ground: 1 if tint and texture are the named ones.
        pillar: there is a pillar if and only if one is named.
        smooth: steps no longer than the named pace allows.
        speed: 1 if the middle step is nearer to the named pace than to the other one.
        alone: no colour that was not named.
    """

    found: float
    colour: float
    shape: float
    ground: float
    pillar: float
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


def score_scene(pictures: Tensor, scene: Scene) -> SceneScore:
    """Score pictures ``[N, 3, Y, X]``, one per latent frame, 0 to 1, that should show a scene."""
    sight = look_at(pictures)
    named = [index_of(thing) for thing in scene.things]
    there = torch.stack([thing.present for thing in sight.things])
    others = [index for index in range(len(COLOURS)) if index not in dict(named)]
    motion = [_motion(sight, colour, scene) for colour, _ in named]
    return SceneScore(
        found=_share(there.sum(0) >= len(named)),
        colour=_share(there[[colour for colour, _ in named]]),
        shape=_mean([_shape(sight, colour, shape, scene) for colour, shape in named]),
        ground=float(name_ground(ground_of(pictures)) == ground_index(scene.tint, scene.texture)),
        pillar=_share(sight.pillar.isfinite().all(1) == scene.pillar),
        smooth=_mean([smooth for smooth, _ in motion]),
        speed=_mean([speed for _, speed in motion]),
        alone=_share(~there[others].any(0)),
    )


def _shape(sight: Sight, colour: int, shape: int, scene: Scene) -> float:
    thing = sight.things[colour]
    judged = sight.clear(colour)
    if not scene.pillar:
        # a thing of its size hides no other one for long
        judged = judged | ~thing.present
    return _share(thing.shape[judged] == shape)


def _motion(sight: Sight, colour: int, scene: Scene) -> tuple[float, float]:
    thing, clear = sight.things[colour], sight.clear(colour)
    steps = torch.hypot(thing.x.diff(), thing.y.diff())[clear[1:] & clear[:-1]]
    if not len(steps):
        return math.nan, math.nan
    furthest = STRIDE * PACE[scene.speed] * FASTEST_FACTOR + SLACK
    middle = float(steps.median()) / STRIDE
    nearest = min(PACE, key=lambda speed: abs(PACE[speed] - middle))
    # standing still is nearest to the slower pace, too
    right = nearest == scene.speed and middle > PACE[scene.speed] / 2
    return _share(steps <= furthest), float(right)


def _share(flags: Tensor) -> float:
    return float(flags.float().mean()) if flags.numel() else math.nan


def _mean(values: Sequence[float]) -> float:
    return float(torch.tensor(values).nanmean())
