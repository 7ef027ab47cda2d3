"""Grounds that leave and come back in any story, and how far off they are then."""

from __future__ import annotations

from typing import NamedTuple

from ..world import Scene, Story
from .detect import Sight
from .recollection import ground_shade
from .visits import LOOKED_AT


class GroundReturn(NamedTuple):
    """A ground that comes back. Units: frames.

    scene: what is there then.
    start: when it is back.
    left: when it had left.
    """

    scene: Scene
    start: int
    left: int


def ground_returns(story: Story) -> list[GroundReturn]:
    """Return every ground of a story that comes back after another was there."""
    found = []
    for number, cut in enumerate(story):
        ground = (cut.scene.tint, cut.scene.texture)
        known = [(c.scene.tint, c.scene.texture) == ground for c in story[:number]]
        if any(known) and not known[-1]:
            seen = max(at for at, same in enumerate(known) if same)
            found.append(GroundReturn(cut.scene, cut.start, story[seen + 1].start))
    return found


def ground_off(sight: Sight, back: GroundReturn) -> float:
    """Return how far off a ground is that is back: mean absolute RGB, 0 to 1.

    Args:
        sight: one picture per latent frame, of the whole video.
    """
    was = ground_shade(sight.pictures[max(0, back.left - LOOKED_AT) : back.left], back.scene)
    now = ground_shade(sight.pictures[back.start : back.start + LOOKED_AT], back.scene)
    return float((was - now).abs().mean())
