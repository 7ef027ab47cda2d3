"""The stories methods are compared on: scenes that last, grounds and things that return."""

from __future__ import annotations

from dataclasses import dataclass, replace

from numpy.random import Generator

from ..training import trained_prompts
from ..world import (
    COLOURS,
    HELD_OUT,
    MOST_THINGS,
    SHAPES,
    TINTS,
    Clip,
    Cut,
    Scene,
    Story,
    Thing,
    generator,
    other,
    random_scene,
)
from .visits import VISITS, Visit


@dataclass(frozen=True)
class Trial:
    """One held-out prompt, as two stories.

    steady: the prompt never changes. away: four grounds take turns, and the first thing comes and
    goes with the first of them; see ``VISITS``.

    Args:
        tints: of the grounds; the first is the scene's.
        rest: the things that are there without the first.
    """

    number: int
    scene: Scene
    tints: tuple[str, ...]
    rest: tuple[Thing, ...]

    @property
    def steady(self) -> Story:
        return (Cut(0, self.scene),)

    @property
    def away(self) -> Story:
        return tuple(Cut(visit.start, self.scene_of(visit)) for visit in VISITS)

    def scene_of(self, visit: Visit) -> Scene:
        """Return what a visit shows."""
        things = self.scene.things if visit.whole else self.rest
        return replace(self.scene, things=things, tint=self.tints[visit.ground])

    def truth(self, story: Story, frames: int) -> Clip:
        """Return the story as the world itself shows it."""
        kept = tuple(cut for cut in story if cut.start < frames)
        return Clip(HELD_OUT + self.number, kept, frames)


def held_out(number: int) -> Scene:
    """Return the held-out scene of a number, drawn as the training's scenes are.

    Its clip was not trained on; its text may have been said in another: there are few enough.
    """
    return random_scene(generator(HELD_OUT + number, 0))


def trial(number: int) -> Trial:
    """Return a trial: two things, a text never trained on."""
    rng = generator(HELD_OUT + number, 4)
    scene = random_scene(rng)
    while len(scene.things) < MOST_THINGS or scene.text in trained_prompts():
        scene = random_scene(rng)
    return _trial(scene, number, rng)


def trial_of(scene: Scene, number: int) -> Trial:
    """Return a trial of a given scene."""
    return _trial(scene, number, generator(HELD_OUT + number, 4))


def _trial(scene: Scene, number: int, rng: Generator) -> Trial:
    """Draw the other grounds; where a thing is alone, another stays while it is away."""
    tints = [scene.tint]
    while len(tints) < len(TINTS):
        tints.append(other(rng, TINTS, tints))
    first, *rest = scene.things
    if not rest:
        colour = other(rng, COLOURS, [first.colour])
        rest = [Thing(colour, other(rng, SHAPES, [first.shape]))]
    return Trial(number, scene, tuple(tints), tuple(rest))
