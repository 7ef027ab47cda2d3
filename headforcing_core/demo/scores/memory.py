"""What a video remembers: shades no prompt tells, things that were hidden or away."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from ..world import COLOURS, Scene, ground_index, index_of
from .detect import Found, Sight, ground_of, name_ground

# a thing counts as hidden while it shows less than this share of what it shows when clear
HIDDEN = 0.5
# frames after which a thing that did not come out again is lost: a slow one crosses in 26
LONGEST = 30
# an RGB distance by which the world's own shades differ, but not one thing from itself
SAME_SHADE = 0.05
MOST = 0.5


def ground_change(first: Sight, last: Sight) -> float:
    """Return the mean absolute difference of what stands still in two stretches, 0 to 1.

    Pixels that are covered all through one of them do not count.
    """
    return float((ground_of(first) - ground_of(last)).abs().mean(0).nanmean())


def shade_changes(first: Sight, last: Sight, scene: Scene) -> list[float]:
    """Return, for every thing of a scene, the RGB distance of its shade in two stretches.

    NaN for a thing that is not there in most of one of them.
    """
    colours = [index_of(thing)[0] for thing in scene.things]
    return [
        float((shade_of(first.things[colour]) - shade_of(last.things[colour])).norm())
        for colour in colours
    ]


def shade_of(thing: Found) -> Tensor:
    """Return the RGB of a thing, ``[3]``; NaN where it is not in most of the pictures."""
    if thing.present.float().mean() <= MOST:
        return torch.full((3,), math.nan)
    # pictures in which it is whole: a part of a thing has more edge
    whole = thing.pixels >= thing.pixels[thing.present].median()
    return thing.rgb[whole & thing.present].median(0).values


@dataclass(frozen=True)
class Disappearances:
    """How often a thing could no longer be seen, and how often it came out again the same."""

    seen: int
    kept: int


def disappearances(sight: Sight, scene: Scene) -> Disappearances:
    """Follow the things of a scene through pictures, one per latent frame.

    A thing is kept if it went behind another, and came out with its shape and its
    shade. One that vanished in the open was not hidden, and one that stays away longer than any
    crossing takes is lost. Where the video ends before that, nothing is known.
    """
    each = [_follow(sight, *index_of(thing)) for thing in scene.things]
    return Disappearances(sum(e.seen for e in each), sum(e.kept for e in each))


def _follow(sight: Sight, colour: int, shape: int) -> Disappearances:
    thing, clear = sight.things[colour], sight.clear(colour)
    if not clear.any():
        return Disappearances(0, 0)
    hidden = (thing.pixels < HIDDEN * thing.pixels[clear].median()).tolist()
    seen = kept = 0
    before = since = last = None
    behind = False
    for at, (gone, open_to_sight) in enumerate(zip(hidden, clear.tolist(), strict=True)):
        if gone and since is None and before is not None:
            since, behind = at, sight.near(colour, at, float(thing.x[last]), float(thing.y[last]))
        elif open_to_sight and since is not None:
            seen += 1
            same = float((thing.rgb[before] - thing.rgb[at]).norm()) < SAME_SHADE
            in_time = at - since <= LONGEST
            kept += behind and in_time and same and int(thing.shape[at]) == shape
            since = None
        if open_to_sight:
            before = at
        if thing.present[at]:
            last = at
    lost = since is not None and len(hidden) - since > LONGEST
    return Disappearances(seen + lost, kept)


def obeys(sight: Sight, scene: Scene) -> bool:
    """Return whether pictures show a scene: its colours and no others, its shapes, its ground.

    In most of them: things cover each other for a while. Speed takes longer to tell.
    """
    named = dict(index_of(thing) for thing in scene.things)
    wanted = torch.tensor([colour in named for colour in range(len(COLOURS))])
    right = (sight.present == wanted).all(1)
    shapes = [sight.things[c].shape[sight.clear(c)] == shape for c, shape in named.items()]
    return (
        float(right.float().mean()) > MOST
        and all(float(fits.float().mean()) > MOST for fits in shapes if len(fits))
        and name_ground(ground_of(sight)) == ground_index(scene.tint, scene.texture)
    )


def delay(sight: Sight, scene: Scene, chunk: int) -> float:
    """Return after how many chunks a stretch that begins with a prompt's change obeys it.

    Returns:
        0 if the first chunk does; infinity if none does.
    """
    for start in range(0, len(sight), chunk):
        if obeys(sight[start : start + chunk], scene):
            return float(start // chunk)
    return math.inf
