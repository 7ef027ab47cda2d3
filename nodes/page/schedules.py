"""A schedule as the page draws it: where prompts will really begin."""

from __future__ import annotations

from typing import Any

from ...headforcing_core.models import WAN_VIDEO, Family, choose_family, family_named
from ...headforcing_core.video import (
    ChunkClock,
    Unit,
    parse_prompts,
    prompt_bars,
    with_cuts,
    with_prefix,
)
from ..graph import AUTO
from .question import Question


def schedule(
    text: str,
    prefix: str,
    units: str,
    fps: float,
    seconds: float | None,
    family: str | None,
    noted: str | None,
    file: str | None,
) -> dict[str, Any]:
    """Return the prompts of a text and where they will be, in a video of so many seconds.

    Args:
        text, prefix, units, fps: as on Prompt Schedule.
        seconds, family: as on the sampler; None: none is connected, or it is not known yet.
        noted, file: how the model's loader notes it, and the file it loads.

    Raises:
        ValueError: if the text is no schedule; what the picture lacks is said beside it.
    """
    if not 0 <= fps <= 120:
        raise ValueError(f"fps must be 0 to 120, got {fps:g}")
    chosen, unsaid = _family(family, noted, file)
    video = WAN_VIDEO if chosen is None else chosen.video
    reads = fps or video.fps
    prompts = parse_prompts(text, reads, Unit(units))
    words = None if chosen is None else chosen.shot_words
    cuts = [prompt.cut for prompt in with_cuts(with_prefix(prompts, prefix), words)]
    clock = None
    if chosen is not None and seconds is not None:
        frames = video.latent_frames(seconds)
        clock = ChunkClock.covering(frames, chosen.frames_per_chunk)
    return {
        **prompt_bars(prompts, cuts, clock, video),
        "fps": video.fps,
        "reads": reads,
        "words": words,
        "family": None if chosen is None else chosen.title,
        "unsaid": unsaid,
    }


def _family(
    name: str | None, noted: str | None, file: str | None
) -> tuple[Family | None, str | None]:
    """Return the family that a run would take, or the sentence with which it would be refused."""
    if name is None:
        return None, None
    try:
        if name != AUTO:
            return family_named(name), None
        if noted not in (None, AUTO):
            return (family_named(noted) if file is None else choose_family(file, noted)), None
        if file is not None:
            return choose_family(file, None), None
    except ValueError as error:
        return None, str(error)
    return None, None


_OPTIONAL = {"seconds": float, "family": str, "noted": str, "file": str}
SCHEDULE = Question(
    "schedule", {"text": str, "prefix": str, "units": str, "fps": float}, schedule, _OPTIONAL
)
