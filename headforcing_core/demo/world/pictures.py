"""Drawing the demo world: a clip as pictures."""

from __future__ import annotations

import torch
from torch import Tensor

from .scene import Scene
from .world import RELIEF, SIDE, VIDEO, Clip, Track, ground_index, index_of

# how sharp edges are: pictures are drawn without aliasing
EDGE = 1.6


def pixel_centres() -> tuple[Tensor, Tensor]:
    """Return the row and the column of every pixel's middle, each ``[SIDE, SIDE]``."""
    at = torch.arange(SIDE) + 0.5
    return torch.meshgrid(at, at, indexing="ij")


def outline(shape: str, right: Tensor, down: Tensor, radius: float | Tensor) -> Tensor:
    """Return the signed distance to a shape's edge, in pixels, negative inside.

    Args:
        right, down: from the centre of the shape.
    """
    if shape == "ball":
        return torch.hypot(right, down) - radius
    if shape == "ring":
        return (torch.hypot(right, down) - 0.75 * radius).abs() - 0.3 * radius
    across, along = right.abs(), down.abs()
    if shape == "square":
        return torch.maximum(across, along) - 0.94 * radius
    upright = torch.maximum(across - 0.38 * radius, along - 1.08 * radius)
    lying = torch.maximum(across - 1.08 * radius, along - 0.38 * radius)
    return torch.minimum(upright, lying)


def lit(texture: str) -> Tensor:
    """Return the lit part of a ground, ``[SIDE, SIDE]`` of 0 and 1; it never moves."""
    y, x = pixel_centres()
    if texture == "plain":
        return torch.zeros(SIDE, SIDE)
    if texture == "striped":
        return ((x + y) % 16 < 8).float()
    if texture == "checkered":
        return (x // 8 + y // 8) % 2
    return ((x % 16 - 8) ** 2 + (y % 16 - 8) ** 2 < 12).float()


def draw(clip: Clip) -> Tensor:
    """Draw a clip: ``[pictures, 3, SIDE, SIDE]``, 0 to 1, float32."""
    video = torch.empty(VIDEO.pixel_frames(clip.frames), 3, SIDE, SIDE)
    starts = [VIDEO.first_picture(cut.start) for cut in clip.story]
    for cut, start, end in zip(clip.story, starts, [*starts[1:], len(video)], strict=True):
        video[start:end] = ground(clip, cut.scene)
    for track in reversed(clip.tracks):
        _paint(video, track, clip)
    return video


def ground(clip: Clip, scene: Scene) -> Tensor:
    """Draw a scene without things: ``[3, SIDE, SIDE]``."""
    tint, _ = ground_index(scene.tint, scene.texture)
    base = torch.from_numpy(clip.look.grounds[tint])
    return (base[:, None, None] * (1 + RELIEF * lit(scene.texture))).clamp(0, 1)


def _paint(video: Tensor, track: Track, clip: Clip) -> None:
    """Draw one thing over ``video``, in place, where there is such a thing."""
    y, x = pixel_centres()
    for thing in {thing for thing in track.things if thing}:
        at = [p for p, t in enumerate(track.things) if t == thing]
        right = x - torch.tensor(track.x[at], dtype=torch.float32)[:, None, None]
        down = y - torch.tensor(track.y[at], dtype=torch.float32)[:, None, None]
        cover = torch.sigmoid(-EDGE * outline(thing.shape, right, down, track.radius))[:, None]
        colour = torch.from_numpy(clip.look.colours[index_of(thing)[0]])[:, None, None]
        video[at] += cover * (colour - video[at])
