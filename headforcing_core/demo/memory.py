"""What a video remembers: shades no prompt tells, things that were hidden or away."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from .detect import Found, find, ground_of, name_ground
from .scene import COLOURS, TINTS, Scene
from .score import unhidden
from .world import index_of

# a thing counts as hidden while it shows less than this share of what it shows at its best
HIDDEN = 0.5
# an RGB distance by which the world's own shades differ, but not one thing from itself
SAME_SHADE = 0.05


def ground_change(first: Tensor, last: Tensor) -> float:
    """Return the mean absolute difference of what stands still, 0 to 1.

    Args:
        first, last: pictures ``[N, 3, Y, X]`` of two stretches; pixels that are covered all through
            one of them do not count.
    """
    return float((ground_of(first) - ground_of(last)).abs().mean(0).nanmean())


def shade_of(thing: Found) -> Tensor:
    """Return the median RGB of a thing where it is not hidden; NaN if it is never seen."""
    seen = thing.rgb[unhidden(thing) & thing.present]
    return seen.median(0).values if len(seen) else torch.full((3,), math.nan)


def shade_changes(first: Tensor, last: Tensor, scene: Scene) -> list[float]:
    """Return, for every thing of a scene, the RGB distance of its shade in two stretches."""
    before, after = find(first), find(last)
    colours = [index_of(thing)[0] for thing in scene.things]
    return [float((shade_of(before[c]) - shade_of(after[c])).norm()) for c in colours]


@dataclass(frozen=True)
class Reappearances:
    """How often a thing came out from behind another, and how often it was still the same."""

    seen: int
    kept: int


def reappearances(pictures: Tensor, scene: Scene) -> Reappearances:
    """Follow the things of a scene through pictures, one per latent frame.

    A thing that was hidden is kept if it comes back into full view with its shape and its shade.
    Where it stays hidden to the end, nothing is known.
    """
    found = find(pictures)
    seen = kept = 0
    for thing in scene.things:
        colour, shape = index_of(thing)
        it = found[colour]
        clear = unhidden(it) & it.present
        best = it.pixels[clear].float().median() if clear.any() else torch.tensor(0.0)
        hidden = it.pixels < HIDDEN * best
        before: int | None = None
        away = False
        for at in range(len(pictures)):
            if hidden[at]:
                away = before is not None
            elif clear[at]:
                if away:
                    seen += 1
                    near = float((it.rgb[before] - it.rgb[at]).norm()) < SAME_SHADE
                    kept += bool(near and it.shape[at] == shape)
                before, away = at, False
    return Reappearances(seen, kept)


def obeys(pictures: Tensor, scene: Scene) -> bool:
    """Return whether pictures show a scene's colours, no others, and its tint.

    In most of them: a thing may be hidden for a while.
    """
    there = torch.stack([thing.present for thing in find(pictures)], 1)
    named = torch.zeros(len(COLOURS), dtype=torch.bool)
    named[[index_of(thing)[0] for thing in scene.things]] = True
    right = (there == named).all(1).float().mean() > 0.5
    tint, _ = name_ground(ground_of(pictures))
    return bool(right) and tint == TINTS.index(scene.tint)


def delay(pictures: Tensor, scene: Scene, chunk: int) -> float:
    """Return after how many chunks a stretch that begins with a prompt's change obeys it.

    Returns:
        0 if the first chunk does; infinity if none does.
    """
    for number, part in enumerate(pictures.split(chunk)):
        if obeys(part, scene):
            return float(number)
    return math.inf
