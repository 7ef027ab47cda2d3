"""How often a run calls its model."""

from __future__ import annotations

from collections.abc import Collection
from itertools import pairwise

from ...headforcing_core.generation import VideoRequest
from ...headforcing_core.rollout import Begun
from ...headforcing_core.video import Chunk


def calls_of(request: VideoRequest, cuts: Collection[int], begun: Begun | None) -> int:
    """Return the calls of a whole run, those left out that a new prompt makes of the recent past.

    Args:
        cuts: frames at which another scene begins.
        begun: frames that are there already: they are remembered, not made.
    """
    chunks = list(request.clock)
    starts = [0, *(c.index for c in chunks if c.start in cuts and c.index), len(chunks)]
    known = 0 if begun is None else begun.frames.shape[2]
    scenes = [chunks[first:stop] for first, stop in pairwise(starts)]
    if request.family.joint:
        ahead = begun is not None and begun.ahead is not None
        return sum(_together(request, scene, known, ahead) for scene in scenes)
    made = sum(chunk.stop > known for chunk in chunks)
    drafts = made * len(request.family.levels)
    if made and (begun is None or begun.made == 0):
        drafts += len(request.family.first_denoising.levels) - len(request.family.levels)
    return drafts + sum(_remembering(request, scene, known) for scene in scenes)


def _together(request: VideoRequest, scene: list[Chunk], known: int, ahead: bool) -> int:
    """Return the windows of a scene, and a call for each chunk that is remembered."""
    left = sum(chunk.stop > known for chunk in scene)
    # those behind the last known chunk have been in windows before, if what was made of them is
    goes_on = ahead and any(chunk.stop == known for chunk in scene)
    more = 0 if goes_on or not left else len(request.family.levels) - 1
    return len(scene) + left + more


def _remembering(request: VideoRequest, scene: list[Chunk], known: int) -> int:
    rule = request.fitted_method.rebuilt
    if rule is None:
        return len(scene)
    most = rule.frames // request.family.frames_per_chunk
    return sum(min(number, most) for number, chunk in enumerate(scene) if chunk.stop > known)
