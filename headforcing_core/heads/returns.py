"""Where heads look when something comes back.

Steady prompts cannot tell a head that looks at the beginning because it is the beginning from one
that looks there because what is needed is there. So scenes take turns, and then one of them comes
back, or a new one comes, after the same past:

    A A B B C C  A       what a head looks at of A more than in the two others: A was needed
    A A B B C C  B       of B, which is no beginning, likewise
    A A B B C C  D
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from ..generation import VideoRequest
from ..methods import Rolling, SwitchRule
from ..models import Family
from ..video import PromptSchedule
from .head_profile import Return, Sample

# A, B and C, and one that was never there
SCENES, NEW = 3, 3
# scenes that can be missed: C is what was seen last, whatever comes
MISSED = SCENES - 1
NEEDED = SCENES + 1

Film = Callable[[VideoRequest, PromptSchedule, list[int]], list[Sample]]


class Turns(NamedTuple):
    """When scenes change. Units: chunks.

    stay: how long each is there.
    back: number of the chunk in which one is back.
    """

    stay: int
    back: int

    @classmethod
    def within(cls, family: Family) -> Turns:
        """Return the turns that the horizon of a family has room for.

        Raises:
            ValueError: if there is none.
        """
        if not cls.possible(family):
            raise ValueError(
                f"returns must be measured on models that make {NEEDED} chunks or more within "
                "their horizon, one after the other, and take a new prompt at once, got "
                f"{family.title}; set returns to 0"
            )
        chunks = family.horizon // family.frames_per_chunk
        stay = (chunks - 1) // SCENES
        return cls(stay, SCENES * stay)

    @staticmethod
    def possible(family: Family) -> bool:
        """Return whether there is room for turns, and what is said is shown at once."""
        room = family.horizon >= NEEDED * family.frames_per_chunk
        return room and not family.joint and not family.blend

    @property
    def starts(self) -> tuple[int, ...]:
        return (*(self.stay * scene for scene in range(SCENES)), self.back)


def frames_of_return(family: Family) -> int:
    """Return the frames of all videos that one past takes."""
    turns = Turns.within(family)
    return (MISSED + 1) * (turns.back + 1) * family.frames_per_chunk


def request_of_return(family: Family, size: tuple[int, int], noise: int) -> VideoRequest:
    """Return what is made for each end of a past; arguments as in ``measure_return``."""
    frames = family.frames_per_chunk
    # all that was there is seen, and what was said then stays with it
    method = Rolling(family.horizon, on_switch=SwitchRule.KEEP).build(frames)
    made = (Turns.within(family).back + 1) * frames
    return VideoRequest(family, made, *size, noise, method=method)


def measure_return(
    family: Family,
    size: tuple[int, int],
    prompts: Sequence[int],
    prompt: int,
    seed: int,
    noise: int,
    film: Film,
) -> Return:
    """Measure one past with each of its ends.

    Args:
        size: latent rows and columns.
        prompts: numbers of prompts, no two of which are alike, ``NEEDED`` at least.
        prompt: which of them is scene A, counted round; those of the others follow it.
        noise: seed of the videos' noise.
        film: makes a video whose prompts are numbers, and returns what was measured in chunks.
    """
    turns, frames = Turns.within(family), family.frames_per_chunk
    request = request_of_return(family, size, noise)
    starts = tuple(frames * start for start in turns.starts)
    scenes = [prompts[(prompt + scene) % len(prompts)] for scene in (*range(SCENES), NEW)]
    seen = []
    for end in (*range(MISSED), NEW):
        story = PromptSchedule(starts, (*scenes[:SCENES], scenes[end]))
        seen.append(_of_scenes(film(request, story, [turns.back]), turns.stay * frames))
    mass = torch.stack(seen)
    shifts = [_shift(mass[:, scene], scene) for scene in range(MISSED)]
    return Return(prompt, seed, torch.stack(shifts))


def _shift(mass: Tensor, end: int) -> Tensor:
    """Return attention where one thing came at the end, less the mean where others did.

    Args:
        mass: ``[ends, L, H]``.
    """
    return mass[end] - (mass.sum(0) - mass[end]) / (len(mass) - 1)


def _of_scenes(samples: list[Sample], frames: int) -> Tensor:
    """Return the share of attention on each scene that can be missed, ``[MISSED, L, H]``."""
    mass = torch.stack([sample.mass for sample in samples]).mean(0)
    parts = [mass[..., frames * scene : frames * (scene + 1)] for scene in range(MISSED)]
    return torch.stack([part.sum(-1) for part in parts])
