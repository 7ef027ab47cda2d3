"""What a prompt of the demo world says: things of a colour and a shape, on a ground."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from numpy.random import Generator

COLOURS = ("red", "green", "blue", "yellow", "magenta", "cyan")
SHAPES = ("ball", "square", "ring", "cross")
TINTS = ("grey", "navy", "olive", "brown")
TEXTURES = ("plain", "striped", "checkered", "dotted")
SPEEDS = ("slowly", "fast")
GLUE = ("a", "and", "moving", "on")
WORDS = (*GLUE, *COLOURS, *SHAPES, *TINTS, *TEXTURES, *SPEEDS)
MOST_THINGS = 2

TWO_THINGS = 0.6
# of a change: it changes two parts
TWO_PARTS = 0.25
# of a second change: it takes the first one back, so that what was seen before is seen again
TAKEN_BACK = 0.5


@dataclass(frozen=True)
class Thing:
    """One object as a prompt names it."""

    colour: str
    shape: str

    @property
    def text(self) -> str:
        return f"a {self.colour} {self.shape}"


@dataclass(frozen=True)
class Scene:
    """All that a prompt can say, and nothing it cannot.

    Args:
        things: one or two, of different colours; the first is in front.
        tint, texture: of the ground.
        speed: of all things.
    """

    things: tuple[Thing, ...]
    tint: str
    texture: str
    speed: str

    def __post_init__(self) -> None:
        colours = [thing.colour for thing in self.things]
        if not 1 <= len(colours) <= MOST_THINGS or len(set(colours)) < len(colours):
            raise ValueError(
                f"a scene must have 1 to {MOST_THINGS} things of different colours, "
                f"got {[thing.text for thing in self.things]}"
            )

    @property
    def text(self) -> str:
        things = " and ".join(thing.text for thing in self.things)
        return f"{things} moving {self.speed} on {self.texture} {self.tint}"


def parse(prompt: str) -> Scene:
    """Read a prompt; the order of its parts and words such as "a" or "the" do not matter.

    Raises:
        ValueError: if it holds a word the model never saw, no thing, or more than one ground.
    """
    words = re.findall(r"[a-z]+", prompt.lower())
    known = {*WORDS, "the", "an", "ground", "background", "move", "moves", "slow"}
    unknown = [word for word in words if word not in known]
    if unknown:
        raise ValueError(
            f"a prompt for the demo model must use the words it was trained on "
            f"({', '.join(WORDS)}), got {unknown[0]!r} in {prompt!r}"
        )
    things = [Thing(a, b) for a, b in pairwise(words) if a in COLOURS and b in SHAPES]
    named = sum(word in COLOURS or word in SHAPES for word in words)
    if not things or named != 2 * len(things):
        raise ValueError(f"a prompt must name things as 'a red ball', got {prompt!r}")
    if re.search(r"\d", prompt):
        raise ValueError(f"a prompt must be words, no numbers, got {prompt!r}")
    return Scene(
        things=tuple(things),
        tint=_only(words, TINTS, None, prompt),
        texture=_only(words, TEXTURES, "plain", prompt),
        speed=_only(["slowly" if w == "slow" else w for w in words], SPEEDS, "slowly", prompt),
    )


def _only(words: Sequence[str], choices: Sequence[str], default: str | None, prompt: str) -> str:
    named = {word for word in words if word in choices}
    if len(named) > 1 or not (named or default):
        raise ValueError(f"a prompt must name one of {', '.join(choices)}, got {prompt!r}")
    return named.pop() if named else default


@dataclass(frozen=True)
class Cut:
    """From this latent frame on, this scene."""

    start: int
    scene: Scene


Story = tuple[Cut, ...]


def scene_at(story: Story, frame: int) -> Scene:
    """Return the scene that rules a latent frame."""
    return [cut.scene for cut in story if cut.start <= frame][-1]


def random_scene(rng: Generator) -> Scene:
    """Draw a scene as the training's are drawn."""
    count = 2 if rng.random() < TWO_THINGS else 1
    colours = rng.permutation(len(COLOURS))[:count]
    return Scene(
        things=tuple(Thing(COLOURS[c], pick(rng, SHAPES)) for c in colours),
        tint=pick(rng, TINTS),
        texture=pick(rng, TEXTURES),
        speed=pick(rng, SPEEDS),
    )


def random_story(rng: Generator, starts: Sequence[int]) -> Story:
    """Draw a scene, and a change of one or two parts of it at each of ``starts``."""
    scenes = [random_scene(rng)]
    for _ in starts:
        if len(scenes) > 1 and rng.random() < TAKEN_BACK:
            scenes.append(scenes[-2])
        else:
            scenes.append(_changed_more(scenes[-1], rng))
    return tuple(Cut(s, scene) for s, scene in zip((0, *starts), scenes, strict=True))


def _changed_more(scene: Scene, rng: Generator) -> Scene:
    new = changed(scene, rng)
    if rng.random() < TWO_PARTS:
        again = changed(new, rng)
        return new if again == scene else again
    return new


def changed(scene: Scene, rng: Generator) -> Scene:
    """Return the scene with one part replaced: what a prompt change can ask for."""
    part = pick(rng, ("colour", "shape", "count", "tint", "texture", "speed"))
    if part in ("tint", "texture", "speed"):
        choices = {"tint": TINTS, "texture": TEXTURES, "speed": SPEEDS}[part]
        return replace(scene, **{part: other(rng, choices, [getattr(scene, part)])})
    things = list(scene.things)
    taken = [thing.colour for thing in things]
    if part == "count" and len(things) == MOST_THINGS:
        del things[rng.integers(len(things))]
    elif part == "count":
        things.append(Thing(other(rng, COLOURS, taken), pick(rng, SHAPES)))
    else:
        at = int(rng.integers(len(things)))
        old = things[at]
        if part == "colour":
            things[at] = replace(old, colour=other(rng, COLOURS, taken))
        else:
            things[at] = replace(old, shape=other(rng, SHAPES, [old.shape]))
    return replace(scene, things=tuple(things))


def pick(rng: Generator, choices: Sequence[str]) -> str:
    """Draw one of the choices."""
    return choices[int(rng.integers(len(choices)))]


def other(rng: Generator, choices: Sequence[str], taken: Sequence[str]) -> str:
    """Draw one of the choices that is not taken."""
    return pick(rng, [choice for choice in choices if choice not in taken])
