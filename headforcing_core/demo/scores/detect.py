"""Finding things in pictures of the demo world, by what the world knows of colours and shapes."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from functools import cache
from itertools import product

import torch
from torch import Tensor
from torch.nn.functional import max_pool2d, normalize

from ..world import (
    COLOURS,
    GROUNDS,
    PALETTE,
    RELIEF,
    SHAPES,
    SIDE,
    TEXTURES,
    TINTS,
    WIDE,
    lit,
    outline,
    pixel_centres,
)

# a whole thing has 220 pixels or more; less than a quarter of that is no thing
LEAST_PIXELS = 55
# lit navy has the hue of blue, and lit olive that of yellow, but not their brightness
BRIGHT = torch.tensor([{"blue": 0.68, "yellow": 0.63}.get(name, 0.55) for name in COLOURS])
# pixels of a thing lie together: within its size of their middle, and most of their colour there
SIZE, TOGETHER = 14.0, 0.6
# a mask must cover this share of (mask or shape) to be that shape
LEAST_OVERLAP = 0.6
RADII = torch.linspace(8.0, 12.0, 9)
EDGE_PIXELS = 2
PARTS_OF_A_PIXEL = (0.0, 0.5, 1.0)
# of two tints that a shade could be of, it is the one whose own hue is nearer
TIE = 1e-3
# things nearer than this may cover each other: two radii
REACH = 22.0

PICTURE_BYTES = 3 * SIDE**2 * torch.float32.itemsize
# of a picture, measured on videos of 600 to 6,000: while they are looked at, and a Sight
LOOKING_BYTES, SIGHT_BYTES = 8 * PICTURE_BYTES, 5 * PICTURE_BYTES


@dataclass(frozen=True)
class Found:
    """One colour in one video. Nothing here knows what the prompt asked for.

    Args:
        pixels: ``[pictures]`` how many have this colour and lie together.
        present: ``[pictures]`` whether that is a thing, or a part of one.
        shape: ``[pictures]`` index of the shape that fits best, -1 where none does.
        x, y: ``[pictures]`` centre in pixels; NaN where there is no thing.
        rgb: ``[pictures, 3]`` median colour, 0 to 1; NaN where there is no thing.
    """

    pixels: Tensor
    present: Tensor
    shape: Tensor
    x: Tensor
    y: Tensor
    rgb: Tensor

    def __getitem__(self, pictures: slice) -> Found:
        return Found(*(getattr(self, field.name)[pictures] for field in fields(self)))


@dataclass(frozen=True)
class Sight:
    """A video that was looked at, and all that is found in it. A slice of it is a stretch of it.

    Args:
        pictures: ``[N, 3, Y, X]``, 0 to 1.
        colours: ``[N, Y, X]`` of ``colour_map``.
        things: one per colour of COLOURS.
    """

    pictures: Tensor
    colours: Tensor
    things: tuple[Found, ...]

    def __len__(self) -> int:
        return len(self.pictures)

    def __getitem__(self, pictures: slice) -> Sight:
        things = tuple(thing[pictures] for thing in self.things)
        return Sight(self.pictures[pictures], self.colours[pictures], things)

    @property
    def present(self) -> Tensor:
        """``[N, COLOURS]`` whether there is a thing of a colour."""
        return torch.stack([thing.present for thing in self.things], 1)

    def near(self, colour: int, at: int, x: float, y: float) -> bool:
        """Return whether another thing could cover a thing of a colour there."""
        others = [thing for index, thing in enumerate(self.things) if index != colour]
        apart = [math.hypot(float(o.x[at]) - x, float(o.y[at]) - y) for o in others]
        return any(distance < REACH for distance in apart)

    def clear(self, colour: int) -> Tensor:
        """Return in which pictures a thing is there and nothing could cover it: ``[pictures]``."""
        thing = self.things[colour]
        places = zip(thing.present.tolist(), thing.x.tolist(), thing.y.tolist(), strict=True)
        return torch.tensor(
            [there and not self.near(colour, at, x, y) for at, (there, x, y) in enumerate(places)]
        )


def look_at(video: Tensor) -> Sight:
    """Find the thing of every colour in ``[pictures, 3, Y, X]``, 0 to 1."""
    colours = colour_map(video)
    things = tuple(_find_one(video, colours == index) for index in range(len(COLOURS)))
    return Sight(video, colours, things)


def colour_map(video: Tensor) -> Tensor:
    """Name the colour of every pixel: ``[pictures, Y, X]``, an index of COLOURS or -1 for ground.

    Args:
        video: ``[pictures, 3, Y, X]``, 0 to 1.
    """
    high, low = video.amax(1), video.amin(1)
    likeness = torch.einsum(
        "pcyx,kc->pkyx", normalize(video, dim=1), normalize(torch.from_numpy(PALETTE), dim=1)
    )
    best, index = likeness.max(1)
    vivid = (high - low > 0.35) & (high > BRIGHT[index]) & (best > 0.96)
    return torch.where(vivid, index, torch.full_like(index, -1))


def _find_one(video: Tensor, mask: Tensor) -> Found:
    y, x = pixel_centres()
    everywhere = mask.sum((1, 2))
    centre = [(mask * axis).sum((1, 2)) / everywhere.clamp_min(1) for axis in (x, y)]
    apart = torch.hypot(*(a - c[:, None, None] for a, c in zip((x, y), centre, strict=True)))
    mask = mask & (apart < SIZE)
    pixels = mask.sum((1, 2))
    present = (pixels >= LEAST_PIXELS) & (pixels >= TOGETHER * everywhere)
    weight = torch.where(present, pixels, math.nan)
    centre_x, centre_y = ((mask * axis).sum((1, 2)) / weight for axis in (x, y))
    rgb = torch.full((len(video), 3), math.nan)
    there = torch.nonzero(present).flatten()
    # pixels on the edge are mixed with the ground; a sliver has no others
    inner = ~max_pool2d((~mask).float()[:, None], 3, 1, 1)[:, 0].bool()
    for at in there.tolist():
        best = inner[at] if inner[at].any() else mask[at]
        rgb[at] = video[at][:, best].median(1).values
    shape = torch.full_like(pixels, -1)
    if len(there):
        shape[there] = _shapes_of(mask[there], centre_x[there], centre_y[there])
    return Found(pixels, present, shape, centre_x, centre_y, rgb)


def _shapes_of(masks: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Return the shape that fits each mask ``[N, Y, X]`` best, -1 where none fits: ``[N]``."""
    templates = _templates().flatten(1)
    middle = SIDE // 2
    # brought to the middle by whole pixels; what is left of the centre picks the template
    down, right = (middle - centre.floor().long() for centre in (y, x))
    moved = torch.stack(
        [mask.roll((int(d), int(r)), (0, 1)) for mask, d, r in zip(masks, down, right, strict=True)]
    )
    flat = moved.flatten(1).float()
    both = flat @ templates.T
    either = flat.sum(1, keepdim=True) + templates.sum(1) - both
    overlap, best = (both / either).max(1)
    kind = best // (len(templates) // len(SHAPES))
    return torch.where(overlap >= LEAST_OVERLAP, kind, torch.full_like(kind, -1))


@cache
def _templates() -> Tensor:
    """Draw every shape at every radius and half pixel: ``[SHAPES * n, SIDE, SIDE]`` of 0 and 1."""
    y, x = pixel_centres()
    middle = SIDE // 2
    return torch.stack(
        [
            (outline(shape, x - middle - right, y - middle - down, float(radius)) < 0).float()
            for shape in SHAPES
            for radius in RADII
            for right, down in product(PARTS_OF_A_PIXEL, repeat=2)
        ]
    )


def ground_of(sight: Sight) -> Tensor:
    """Return what is behind the things: ``[3, Y, X]``.

    The median of the pictures in which a pixel is not covered; NaN where it always is.
    """
    covered = (sight.colours >= 0).float()[:, None]
    # the edge of a thing is mixed with the ground and has no colour's name
    covered = max_pool2d(covered, 2 * EDGE_PIXELS + 1, 1, EDGE_PIXELS)
    return sight.pictures.masked_fill(covered > 0, math.nan).nanmedian(0).values


def name_ground(picture: Tensor) -> tuple[int, int]:
    """Return (tint, texture) of the ground that ``ground_of`` fits best, (-1, -1) if none is seen.

    Its shade is free within those a clip can have.
    """
    best, found = float("inf"), (-1, -1)
    seen = ~picture.isnan().any(0)
    if not seen.any():
        return found
    pixels = picture[:, seen]
    for texture, name in enumerate(TEXTURES):
        pattern = (1 + RELIEF * lit(name))[seen]
        shade = (pixels * pattern).sum(1) / (pattern * pattern).sum()
        for tint in range(len(TINTS)):
            near, off = _nearest_shade(shade, tint)
            error = float((pixels - near[:, None] * pattern).square().mean()) + TIE * off
            if error < best:
                best, found = error, (tint, texture)
    return found


def _nearest_shade(shade: Tensor, tint: int) -> tuple[Tensor, float]:
    """Return the shade of a tint that is nearest to one that was seen, ``[3]``, and its tone.

    The tone is how far it is from the tint's own hue: squares of what channels have by themselves.
    """
    base = torch.from_numpy(GROUNDS[tint])
    brightness = (shade - base).mean().clamp(-WIDE.brightness, WIDE.brightness)
    tone = (shade - base - brightness).clamp(-WIDE.tone, WIDE.tone)
    return base + brightness + tone, float(tone.square().sum())
