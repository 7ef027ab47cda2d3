"""The demo world: what every thing of a story looks like and where it is, picture by picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import pi

import numpy as np
from numpy.random import Generator, Philox, SeedSequence

from ..geometry import VideoFormat
from .scene import COLOURS, SHAPES, TEXTURES, TINTS, Scene, Story, Thing, scene_at

SIDE = 64
PALETTE = np.array(
    [
        *([0.95, 0.12, 0.10], [0.12, 0.85, 0.15], [0.15, 0.30, 1.00]),
        *([0.97, 0.93, 0.12], [0.95, 0.15, 0.90], [0.10, 0.90, 0.95]),
    ],
    dtype=np.float32,
)
GROUNDS = np.array(
    [[0.32, 0.32, 0.34], [0.10, 0.13, 0.34], [0.26, 0.30, 0.10], [0.34, 0.20, 0.10]],
    dtype=np.float32,
)
STONE = np.array([0.78, 0.76, 0.72], dtype=np.float32)
# how much brighter the lit part of a texture is
RELIEF = 0.35
# pixels per picture
PACE = {"slowly": 0.5, "fast": 1.3}
# pictures per latent frame after the first, and pixels per latent pixel
STRIDE, SPACE_STRIDE = 4, 8
VIDEO = VideoFormat(time_stride=STRIDE, space_stride=SPACE_STRIDE, fps=16)
# between the first two things at the beginning, in pixels
ROOM = 26.0
MOST_TRACKS = 8
# no clip with a seed from here on is trained on
HELD_OUT = 5_000_000


def generator(*key: int) -> Generator:
    """Return a generator whose draws depend on the whole key."""
    return Generator(Philox(SeedSequence(list(key))))


@dataclass(frozen=True)
class Look:
    """What no prompt says and a good memory keeps: the shades and sizes of one clip.

    Args:
        colours: ``[6, 3]`` the RGB of each colour name, 0 to 1.
        grounds: ``[4, 3]`` the RGB of each tint.
        pillar: column of the pillar's middle, and its width, in pixels.
    """

    colours: np.ndarray
    grounds: np.ndarray
    pillar: tuple[float, float]

    @classmethod
    def of(cls, seed: int) -> Look:
        rng = generator(seed, 1)
        return cls(
            colours=PALETTE * rng.uniform(0.8, 1.0, PALETTE.shape).astype(np.float32),
            grounds=GROUNDS * rng.uniform(0.8, 1.2, GROUNDS.shape).astype(np.float32),
            pillar=(float(rng.uniform(28, 36)), float(rng.uniform(22, 26))),
        )


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
    """

    seed: int
    story: Story
    frames: int

    @property
    def look(self) -> Look:
        return Look.of(self.seed)

    @property
    def tracks(self) -> list[Track]:
        """The true state of every thing in every picture; earlier ones are in front."""
        scenes = self._scenes()
        cast = cast_of([cut.scene.things for cut in self.story])
        if len(cast) > MOST_TRACKS:
            raise ValueError(f"a story must have at most {MOST_TRACKS} things, got {len(cast)}")
        spans = [VIDEO.first_picture(cut.start) for cut in self.story] + [len(scenes)]
        pace = np.cumsum([0.0, *(PACE[scene.speed] for scene in scenes[1:])])
        places = _places(self.seed)
        tracks = []
        for number, roles in enumerate(cast):
            things = [
                t for t, a, b in zip(roles, spans, spans[1:], strict=False) for _ in range(b - a)
            ]
            rng = generator(self.seed, 3, number)
            radius, factor = rng.uniform(11.0, 12.5), rng.uniform(0.85, 1.15)
            angle = rng.uniform(0, 2 * pi)
            x, y = (
                _bounce(start + factor * pace * step, radius + 1, SIDE - radius - 1)
                for start, step in zip(places[number], (np.cos(angle), np.sin(angle)), strict=True)
            )
            tracks.append(Track(tuple(things), x, y, float(radius)))
        return tracks

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


def _places(seed: int) -> np.ndarray:
    """Return where tracks begin, ``[MOST_TRACKS, 2]``; the first two well apart."""
    rng = generator(seed, 2)
    places = rng.uniform(15, SIDE - 15, (MOST_TRACKS, 2))
    while np.hypot(*(places[0] - places[1])) < ROOM:
        places[:2] = rng.uniform(15, SIDE - 15, (2, 2))
    return places


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
