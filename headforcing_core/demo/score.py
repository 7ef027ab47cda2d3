"""How well pictures show a scene: shares between 0 and 1, against what the world knows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields

import torch
from torch import Tensor

from .detect import Found, find, ground_of, name_ground
from .scene import COLOURS, Scene
from .world import PACE, STRIDE, ground_index, index_of

# a thing counts as unhidden where it shows this share of the pixels it shows at its best
UNHIDDEN = 0.9
BEST = 0.9
# and at least so many pixels: the smallest thing of the world has 330
WHOLE = 230
# a thing may move a little further than its pace: centres are read off pixels
SLACK = 1.5
FASTEST_FACTOR = 1.15


@dataclass(frozen=True)
class SceneScore:
    """Shares of the pictures (or of the things in them) that show what the scene says.

    Args:
        found: there are at least as many coloured things as named ones, of whatever colour.
        colour: a thing of the named colour is there, mean over things.
        shape: where it is not hidden, it has the named shape, mean over things.
        ground: 1 if tint and texture are the named ones.
        smooth: steps of unhidden things no longer than their pace allows.
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
    """Average scores; what could not be measured in one (NaN) does not count."""
    columns = {
        f.name: torch.tensor([getattr(s, f.name) for s in scores]) for f in fields(SceneScore)
    }
    return SceneScore(**{name: float(column.nanmean()) for name, column in columns.items()})


def sampled(video: Tensor) -> Tensor:
    """Return the last picture of every latent frame of ``[4 (F - 1) + 1, ...]`` pictures."""
    return video[::STRIDE]


def score_scene(pictures: Tensor, scene: Scene) -> SceneScore:
    """Score pictures ``[N, 3, Y, X]``, one per latent frame, 0 to 1, that should show a scene."""
    things = find(pictures)
    named = {index_of(thing)[0]: index_of(thing)[1] for thing in scene.things}
    there = torch.stack([thing.present for thing in things])
    shape = [_share(things[c].shape[unhidden(things[c])] == s) for c, s in named.items()]
    smooth, speed = zip(*(_motion(things[colour], scene) for colour in named), strict=True)
    # nothing but a pillar hides a thing for long: one that is never whole is lost, and counts
    lost = math.nan if scene.pillar else 0.0
    return SceneScore(
        found=_share(there.sum(0) >= len(named)),
        colour=_share(there[list(named)]),
        shape=_mean(shape, lost),
        ground=float(name_ground(ground_of(pictures)) == ground_index(scene.tint, scene.texture)),
        smooth=_mean(smooth, lost),
        speed=_mean(speed, lost),
        alone=_share(~there[[i for i in range(len(COLOURS)) if i not in named]].any(0)),
    )


def unhidden(thing: Found) -> Tensor:
    """Return in which pictures a thing shows nearly all it shows at its best: ``[pictures]``."""
    best = thing.pixels.float().quantile(BEST).clamp_min(WHOLE)
    return thing.pixels >= UNHIDDEN * best


def _motion(thing: Found, scene: Scene) -> tuple[float, float]:
    clear = unhidden(thing)
    steps = torch.hypot(thing.x.diff(), thing.y.diff())[clear[1:] & clear[:-1]]
    if not len(steps):
        return math.nan, math.nan
    furthest = STRIDE * PACE[scene.speed] * FASTEST_FACTOR + SLACK
    middle = float(steps.median()) / STRIDE
    nearest = min(PACE, key=lambda speed: abs(PACE[speed] - middle))
    # half of the slower pace is nearest to it, too, but it is standing still that must be seen
    right = nearest == scene.speed and middle > PACE[scene.speed] / 2
    return _share(steps <= furthest), float(right)


def _share(flags: Tensor) -> float:
    return float(flags.float().mean()) if flags.numel() else math.nan


def _mean(values: Sequence[float], lost: float) -> float:
    known = [lost if math.isnan(value) else value for value in values]
    return float(torch.tensor(known).nanmean())
