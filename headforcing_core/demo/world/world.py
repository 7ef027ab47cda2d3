"""The demo world: what every thing of a story looks like and where it is, picture by picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import pi

import numpy as np

from ...video import VideoFormat
from .look import WIDE, Look, Shades, generator
from .scene import COLOURS, SHAPES, TEXTURES, TINTS, Scene, Story, Thing, scene_at

SIDE = 64
# how much brighter the lit part of a texture is
RELIEF = 0.35
# pixels per picture
PACE = {"slowly": 0.35, "fast": 1.25}
RADII = (9.5, 10.5)
# pictures per latent frame after the first, and pixels per latent pixel
STRIDE, SPACE_STRIDE = 4, 8
VIDEO = VideoFormat(time_stride=STRIDE, space_stride=SPACE_STRIDE, fps=16)
# pixels between a thing that appears and every other: it appears in the open
ROOM = 24.0
# no clip with a seed from here on is trained on
HELD_OUT = 5_000_000


@dataclass(frozen=True)
class Track:
    """One thing through a whole clip, whatever it is called and whether or not it is seen.

    Args:
        things: per picture what it is; None where the scene has no such thing.
        x, y: ``[pictures]`` its centre in pixels, right and down.
        radius: in pixels.
    """

    things: tuple[Thing | None, ...]
    x: np.ndarray
    y: np.ndarray
    radius: float


@dataclass(frozen=True)
class Clip:
    """A story that happened: everything is decided by it and the seed.

    Args:
        frames: latent frames.
        shades: that its look is drawn from.
    """

    seed: int
    story: Story
    frames: int
    shades: Shades = WIDE

    @property
    def look(self) -> Look:
        return Look.of(self.seed, self.shades)

    @property
    def tracks(self) -> list[Track]:
        """The true state of every thing in every picture; earlier ones are in front."""
        scenes = self._scenes()
        cast = cast_of([cut.scene.things for cut in self.story])
        spans = [VIDEO.first_picture(cut.start) for cut in self.story] + [len(scenes)]
        way = np.cumsum([0.0, *(PACE[scene.speed] for scene in scenes[1:])])
        tracks: list[Track] = []
        for roles in cast:
            things = [
                t for t, a, b in zip(roles, spans, spans[1:], strict=False) for _ in range(b - a)
            ]
            tracks.append(self._track(things, way, tracks))
        return tracks

    def _track(self, things: Sequence[Thing | None], way: np.ndarray, others: list[Track]) -> Track:
        """Let one more thing move; where it appears, no other one is near."""
        rng = generator(self.seed, 2, len(others))
        radius = rng.uniform(*RADII)
        low, high = radius + 1, SIDE - radius - 1
        columns = self._columns(len(others), low, high)
        appears = next((at for at, thing in enumerate(things) if thing), 0)
        near = [other for other in others if other.things[appears]]
        while True:
            right, down = rng.uniform(*columns), rng.uniform(low, high)
            angle = rng.uniform(0, 2 * pi)
            x = _bounce(right + way * np.cos(angle), low, high)
            y = _bounce(down + way * np.sin(angle), low, high)
            apart = [np.hypot(o.x[appears] - x[appears], o.y[appears] - y[appears]) for o in near]
            if min(apart, default=ROOM) >= ROOM:
                return Track(tuple(things), x, y, float(radius))

    def _columns(self, number: int, low: float, high: float) -> tuple[float, float]:
        """Return where a thing begins: of two that are named at first, the first on the left."""
        two = len(self.story[0].scene.things) == 2
        halves = {0: (low, SIDE / 2), 1: (SIDE / 2, high)} if two else {}
        return halves.get(number, (low, high))

    def _scenes(self) -> list[Scene]:
        count = VIDEO.pixel_frames(self.frames)
        return [scene_at(self.story, (p + STRIDE - 1) // STRIDE) for p in range(count)]


def cast_of(scenes: Sequence[tuple[Thing, ...]]) -> list[list[Thing | None]]:
    """Follow things through scenes: which thing of one scene is which of the next.

    A thing that is named as before is the same, also after an absence. One that changed its colour
    or its shape takes over from the one it replaced.

    Returns:
        One row per track, one entry per scene.
    """
    tracks: list[list[Thing | None]] = []
    for number, things in enumerate(scenes):
        taken: dict[int, Thing] = {}
        # whoever is named as before comes first
        for is_the_same in (_is_back, _took_over):
            for thing in (thing for thing in things if thing not in taken.values()):
                same = (i for i, t in enumerate(tracks) if i not in taken and is_the_same(t, thing))
                at = next(same, None)
                if at is not None:
                    taken[at] = thing
        for thing in (thing for thing in things if thing not in taken.values()):
            taken[len(tracks)] = thing
            tracks.append([None] * number)
        for at, track in enumerate(tracks):
            track.append(taken.get(at))
    return tracks


def _is_back(track: Sequence[Thing | None], thing: Thing) -> bool:
    return next((known for known in reversed(track) if known), None) == thing


def _took_over(track: Sequence[Thing | None], thing: Thing) -> bool:
    shown = track[-1]
    return shown is not None and (shown.shape == thing.shape or shown.colour == thing.colour)


def _bounce(at: np.ndarray, low: float, high: float) -> np.ndarray:
    span = high - low
    turn = np.remainder(at - low, 2 * span)
    return low + np.where(turn > span, 2 * span - turn, turn)


def index_of(thing: Thing) -> tuple[int, int]:
    """Return (colour, shape) as numbers."""
    return COLOURS.index(thing.colour), SHAPES.index(thing.shape)


def ground_index(tint: str, texture: str) -> tuple[int, int]:
    """Return (tint, texture) as numbers."""
    return TINTS.index(tint), TEXTURES.index(texture)
