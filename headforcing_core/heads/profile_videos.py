"""The videos that a profile is made of."""

from __future__ import annotations

from dataclasses import dataclass

from ..generation import VideoRequest
from ..models import Family
from ..video import ChunkClock
from .head_profile import HeadProfile
from .profile_settings import ProfileSettings
from .returns import NEEDED, Turns, frames_of_return, request_of_return
from .subject import Profiled, Prompted


def different(subject: Prompted, most: int = NEEDED) -> list[int]:
    """Return the numbers of prompts that differ from all before them, up to ``most`` of them."""
    found: dict[str, int] = {}
    for prompt in range(subject.prompts):
        found.setdefault(subject.key(prompt), prompt)
        if len(found) == most:
            break
    return list(found.values())


def possible_returns(wanted: int, subject: Prompted) -> int:
    """Return as many returns as are wanted, or none where none can be measured.

    That is on a model whose horizon has no room for turns, and with too few prompts to take them.
    """
    able = Turns.possible(subject.family) and len(different(subject)) == NEEDED
    return wanted if able else 0


@dataclass(frozen=True)
class Video:
    """A video that is measured.

    Args:
        prompt, seed: numbers, from 0.
        returns: something comes back in it.
    """

    prompt: int
    seed: int
    returns: bool = False


def videos_to_make(settings: ProfileSettings, known: HeadProfile | None = None) -> list[Video]:
    """Return the videos of a profile that are not in what is known."""
    steady = set() if known is None else known.videos
    back = set() if known is None else known.returning
    return [
        *(Video(*video) for video in settings.videos if video not in steady),
        *(Video(*video, True) for video in settings.returning if video not in back),
    ]


def frames_to_make(
    subject: Profiled, settings: ProfileSettings, known: HeadProfile | None = None
) -> int:
    """Return the frames of all videos that are still to be made."""
    clock = ChunkClock.covering(settings.frames, subject.family.frames_per_chunk)
    chunks, frames = list(clock), 0
    for video in videos_to_make(settings, known):
        if video.returns:
            frames += frames_of_return(subject.family)
        else:
            last = settings.drawn_chunks(clock, video.prompt, video.seed)[-1]
            frames += chunks[last].stop
    return frames


def requests_of(
    settings: ProfileSettings, family: Family, size: tuple[int, int]
) -> list[tuple[VideoRequest, int]]:
    """Return one video of each kind that a profile is made of, and how many prompts it has.

    Args:
        size: latent rows and columns.
    """
    kinds = [(settings.request(family, size, 0), 1)]
    if settings.returns and Turns.possible(family):
        kinds.append((request_of_return(family, size, 0), NEEDED))
    return kinds


def check_texts(subject: Profiled, settings: ProfileSettings) -> None:
    """Refuse a profile that a subject has too few texts for.

    Raises:
        ValueError: if it has.
    """
    if settings.prompts > subject.prompts:
        raise ValueError(
            f"prompts must be at most the texts there are, {subject.prompts}, "
            f"got {settings.prompts}"
        )
    scenes = scenes_of(subject, settings)
    if settings.returns and len(scenes) < NEEDED:
        raise ValueError(
            f"returns must be measured with {NEEDED} different prompts or more, which take turns, "
            f"got {len(scenes)}; give more prompts, or set returns to 0"
        )


def scenes_of(subject: Profiled, settings: ProfileSettings) -> list[int]:
    """Return the numbers of the prompts that take turns, if any are to."""
    return different(subject, settings.returns + NEEDED - 1) if settings.returns else []
