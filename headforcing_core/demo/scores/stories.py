"""The stories that methods are compared on: scenes that last, things that leave and return."""

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

# frames at which the second scene begins and ends, again and again: the first absence is longer
# than the horizon, the second twice as long
LEAVES, RETURNS = (45, 120), (90, 210)


@dataclass(frozen=True)
class Trial:
    """One held-out prompt, as two stories.

    steady: the prompt never changes. away: the first thing leaves and the ground changes, twice,
    and each time both come back.
    """

    number: int
    scene: Scene
    elsewhere: Scene

    @property
    def steady(self) -> Story:
        return (Cut(0, self.scene),)

    @property
    def away(self) -> Story:
        cuts = [Cut(0, self.scene)]
        for leaves, returns in zip(LEAVES, RETURNS, strict=True):
            cuts += [Cut(leaves, self.elsewhere), Cut(returns, self.scene)]
        return tuple(cuts)

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
    return Trial(number, scene, _elsewhere(scene, rng))


def trial_of(scene: Scene, number: int) -> Trial:
    """Return a trial of a given scene."""
    return Trial(number, scene, _elsewhere(scene, generator(HELD_OUT + number, 4)))


def _elsewhere(scene: Scene, rng: Generator) -> Scene:
    """Take the first thing away, and the ground; a thing that was alone gives way to another."""
    first, *others = scene.things
    if not others:
        colour = other(rng, COLOURS, [first.colour])
        others = [Thing(colour, other(rng, SHAPES, [first.shape]))]
    return replace(scene, things=tuple(others), tint=other(rng, TINTS, [scene.tint]))
