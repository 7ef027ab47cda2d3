"""What no prompt tells, one at a time: stories in which it leaves and comes back, and its shade."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import torch
from numpy.random import Generator
from torch import Tensor

from ..world import (
    COLOURS,
    HELD_OUT,
    MOST_THINGS,
    TINTS,
    Cut,
    Look,
    Scene,
    Story,
    Thing,
    generator,
    ground_index,
    index_of,
    other,
    random_scene,
)
from .detect import Sight
from .recollection import ground_shade, middle_ground, middle_thing, thing_shade


class Hidden(Protocol):
    """Something that has a shade of its own in every video.

    name: what it is, in words.
    replaced: whether another takes its place while it is away.
    """

    name: str
    replaced: bool

    def scenes(self, rng: Generator, count: int) -> list[Scene]:
        """Draw a scene that shows it, and others, alike but for it."""

    def seen(self, sight: Sight, scene: Scene) -> Tensor:
        """Return its shade in pictures of a scene, ``[3]``; NaN where it is not seen."""

    def true(self, look: Look, scene: Scene) -> Tensor:
        """Return its shade in a look, ``[3]``; NaN where the scene does not show it."""

    def middle(self, scene: Scene) -> Tensor:
        """Return the middle of what its shade can be, ``[3]``."""


@dataclass(frozen=True)
class Ground:
    """The ground, which gives way to grounds of other tints."""

    name: str = "ground"
    replaced: bool = True

    def scenes(self, rng: Generator, count: int) -> list[Scene]:
        scene = random_scene(rng)
        tints = [scene.tint]
        while len(tints) < count:
            tints.append(other(rng, TINTS, tints))
        return [replace(scene, tint=tint) for tint in tints]

    def seen(self, sight: Sight, scene: Scene) -> Tensor:
        return ground_shade(sight.pictures, scene)

    def true(self, look: Look, scene: Scene) -> Tensor:
        return torch.from_numpy(look.grounds[ground_index(scene.tint, scene.texture)[0]])

    def middle(self, scene: Scene) -> Tensor:
        return middle_ground(scene)


@dataclass(frozen=True)
class FirstThing:
    """The first thing of a scene, which gives way to others or leaves another alone."""

    name: str
    replaced: bool

    def scenes(self, rng: Generator, count: int) -> list[Scene]:
        scene = random_scene(rng)
        while not self.replaced and len(scene.things) < MOST_THINGS:
            scene = random_scene(rng)
        first, *rest = scene.things
        if not self.replaced:
            return [scene, *[replace(scene, things=tuple(rest))] * (count - 1)]
        colours = [first.colour]
        while len(colours) < count:
            colours.append(other(rng, COLOURS, [*colours, *(thing.colour for thing in rest)]))
        things = [(Thing(colour, first.shape), *rest) for colour in colours]
        return [replace(scene, things=shown) for shown in things]

    def seen(self, sight: Sight, scene: Scene) -> Tensor:
        return thing_shade(sight, scene.things[0])

    def true(self, look: Look, scene: Scene) -> Tensor:
        return torch.from_numpy(look.colours[index_of(scene.things[0])[0]])

    def middle(self, scene: Scene) -> Tensor:
        return middle_thing(scene.things[0])


HIDDEN: tuple[Hidden, ...] = (
    Ground(),
    FirstThing("thing, replaced", replaced=True),
    FirstThing("thing, gone", replaced=False),
)


def absence(hidden: Hidden, number: int, cuts: Sequence[int], order: Sequence[int]) -> Story:
    """Return a story of a held-out number.

    Args:
        cuts: frames at which it changes, from 0 on.
        order: which of the scenes rules from each; scene 0 shows what comes back.
    """
    scenes = hidden.scenes(generator(HELD_OUT + number, 6), max(order) + 1)
    return tuple(Cut(cut, scenes[at]) for cut, at in zip(cuts, order, strict=True))
