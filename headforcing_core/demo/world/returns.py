"""Stories in which something leaves and comes back: what a memory is needed for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from numpy.random import Generator

from .scene import (
    COLOURS,
    SHAPES,
    TEXTURES,
    TINTS,
    Cut,
    Scene,
    Story,
    Thing,
    other,
    pick,
    random_scene,
)

# of a story: its ground leaves and comes back, its first thing does, or both do
GROUND, THING = 0.45, 0.3
# how many there are that take turns, two or three
TWO_IN_TURN = 0.6
# how often what is there stays for one chunk more; drawn for every story
STAYS = (0.3, 0.7)
# of grounds: each has a texture of its own
OWN_TEXTURE = 0.3
# of things: each has a shape of its own, or only another colour, where it takes the other's place
OWN_SHAPE = 0.4
# of things, if there is a second one: one of the turns is that nothing is there
ABSENT = 0.25

Ground = tuple[str, str]


def returning_story(rng: Generator, chunks: int, frames_per_chunk: int) -> Story:
    """Draw a scene whose ground, first thing or both leave and come back, chunk by chunk."""
    scene = random_scene(rng)
    which = rng.random()
    grounds: list[Ground] = [(scene.tint, scene.texture)] * chunks
    things: list[Thing | None] = [scene.things[0]] * chunks
    if which < GROUND or which >= GROUND + THING:
        grounds = _turns(rng, _grounds(rng, scene), chunks)
    if which >= GROUND:
        things = _turns(rng, _things(rng, scene), chunks)
    cuts: list[Cut] = []
    for number, ((tint, texture), thing) in enumerate(zip(grounds, things, strict=True)):
        shown = scene.things[1:] if thing is None else (thing, *scene.things[1:])
        now = replace(scene, things=shown, tint=tint, texture=texture)
        if not cuts or now != cuts[-1].scene:
            cuts.append(Cut(number * frames_per_chunk, now))
    return tuple(cuts)


def returns_at(story: Story, start: int) -> bool:
    """Return whether a ground or a thing comes back at a frame that was away just before."""
    before = [cut.scene for cut in story if cut.start < start]
    now = [cut.scene for cut in story if cut.start == start]
    if not now or not before:
        return False
    (scene,) = now
    tints = [past.tint for past in before]
    back = scene.tint != tints[-1] and scene.tint in tints
    known = {thing.colour for past in before[:-1] for thing in past.things}
    here = {thing.colour for thing in before[-1].things}
    return back or any(t.colour in known - here for t in scene.things)


def _turns(rng: Generator, choices: Sequence, chunks: int) -> list:
    """Walk among choices until one of them came back; it begins with the first."""
    while True:
        stays, now, walk = rng.uniform(*STAYS), 0, []
        for _ in range(chunks):
            walk.append(now)
            if rng.random() > stays:
                now = int(rng.integers(len(choices)))
        if any(walk[i] != walk[i - 1] and walk[i] in walk[: i - 1] for i in range(2, chunks)):
            return [choices[number] for number in walk]


def _in_turn(rng: Generator) -> int:
    return 2 if rng.random() < TWO_IN_TURN else 3


def _grounds(rng: Generator, scene: Scene) -> list[Ground]:
    grounds = [(scene.tint, scene.texture)]
    own = rng.random() < OWN_TEXTURE
    for _ in range(_in_turn(rng) - 1):
        tint = other(rng, TINTS, [tint for tint, _ in grounds])
        grounds.append((tint, pick(rng, TEXTURES) if own else scene.texture))
    return grounds


def _things(rng: Generator, scene: Scene) -> list[Thing | None]:
    things = [scene.things[0]]
    taken = [thing.colour for thing in scene.things]
    own = rng.random() < OWN_SHAPE
    count = _in_turn(rng)
    absent = len(scene.things) > 1 and rng.random() < ABSENT
    while len(things) < count - absent:
        colour = other(rng, COLOURS, taken)
        taken.append(colour)
        things.append(Thing(colour, pick(rng, SHAPES) if own else scene.things[0].shape))
    return [*things, None] if absent else things
