"""Prompts that come in bit by bit: conditionings between those that are given."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn.functional import pad

from ...headforcing_core.generation import VideoRequest
from ...headforcing_core.video import PromptSchedule

# conditionings of the host, by the names of prompts
Conditioning = Mapping[str, list]


def blended(
    request: VideoRequest, prompts: PromptSchedule, said: Conditioning
) -> tuple[PromptSchedule, Conditioning]:
    """Return prompts as the family's authors let them come in, and the words of each, alone.

    What was let through beside the words is not read; a host may stumble over it.

    Args:
        prompts: names.
        said: of each name.
    """
    words: dict[str, Tensor] = {name: entries[0][0] for name, entries in said.items()}

    def mix(old: str, new: str, weight: float) -> str:
        name = f"{old}, {weight:g} of {new}"
        words[name] = torch.lerp(*_as_long(words[old], words[new]), weight)
        return name

    schedule = request.blended(prompts, mix)
    return schedule, {name: [[words[name], {}]] for name in schedule.texts}


def _as_long(one: Tensor, other: Tensor) -> tuple[Tensor, Tensor]:
    """Return two texts ``[1, S, D]`` of as many rows: behind a prompt rows are zero."""
    rows = max(one.shape[1], other.shape[1])
    one, other = (pad(text.float(), (0, 0, 0, rows - text.shape[1])) for text in (one, other))
    return one, other
