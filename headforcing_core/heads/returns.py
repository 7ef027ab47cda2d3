"""Where heads look when something comes back.

Steady prompts cannot tell a head that looks at the beginning because it is the beginning from one
that looks there because what is needed is there. So scenes take turns, and then one of them comes
back, or a new one comes, after the same past:

    A A B B C C  A       what a head looks at of A more than in the two others: A was needed
    A A B B C C  B       of B, which is no beginning, likewise
    A A B B C C  D
"""

from __future__ import annotations

from collections.abc import Callable
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
            ValueError: if it has none, or chunks are denoised together.
        """
        chunks = family.horizon // family.frames_per_chunk
        if chunks < NEEDED or family.joint:
            raise ValueError(
                f"returns must be measured on models that make {NEEDED} chunks or more within "
                f"their horizon, one after the other, got {family.title}; set returns to 0"
            )
        stay = (chunks - 1) // SCENES
        return cls(stay, SCENES * stay)

    @property
    def starts(self) -> tuple[int, ...]:
        return (*(self.stay * scene for scene in range(SCENES)), self.back)


def possible_returns(wanted: int, prompts: int, family: Family) -> int:
    """Return after how many prompts something can come back, of those that are wanted.

    None on a model whose horizon has no room for it, or with too few prompts to take turns.
    """
    try:
        Turns.within(family)
    except ValueError:
        return 0
    return min(wanted, prompts) if prompts >= NEEDED else 0


def frames_of_return(family: Family) -> int:
    """Return the frames of all videos that one past takes."""
    turns = Turns.within(family)
    return (MISSED + 1) * (turns.back + 1) * family.frames_per_chunk


def measure_return(
    family: Family,
    size: tuple[int, int],
    prompts: int,
    prompt: int,
    seed: int,
    noise: int,
    film: Film,
) -> Return:
    """Measure one past with each of its ends.

    Args:
        size: latent rows and columns.
        prompts: how many there are, ``NEEDED`` at least.
        prompt: number of scene A; those of the others follow it.
        noise: seed of the videos' noise.
        film: makes a video whose prompts are numbers, and returns what was measured in chunks.
    """
    turns, frames = Turns.within(family), family.frames_per_chunk
    # all that was there is seen, and what was said then stays with it
    method = Rolling(family.horizon, on_switch=SwitchRule.KEEP).build(frames)
    request = VideoRequest(family, (turns.back + 1) * frames, *size, noise, method=method)
    starts = tuple(frames * start for start in turns.starts)
    past = [(prompt + scene) % prompts for scene in range(SCENES)]
    seen = []
    for end in (*range(MISSED), NEW):
        story = PromptSchedule(starts, (*past, (prompt + end) % prompts))
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
