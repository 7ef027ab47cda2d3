"""What the pack's nodes hand to each other. Frozen: the host keeps outputs between runs."""

from __future__ import annotations

from dataclasses import dataclass

from comfy_api.latest import io

from ..headforcing_core.prompt_text import TimedPrompt

CATEGORY = "Head Forcing"

CacheMethodSocket = io.Custom("HEADFORCING_METHOD")
HeadMapSocket = io.Custom("HEADFORCING_HEAD_MAP")
ScheduleSocket = io.Custom("HEADFORCING_SCHEDULE")

# what Load AR Model and Profile Heads note on a model
FAMILY_KEY, MAP_KEY = "head_forcing_family", "head_forcing_maps"


@dataclass(frozen=True)
class EncodedPrompts:
    """A prompt schedule with the host's conditioning of every prompt.

    Args:
        prompts: texts and when they begin; the sampler knows where chunks do.
        conditioning: as CLIP Text Encode gives it, one per prompt.
    """

    prompts: tuple[TimedPrompt, ...]
    conditioning: tuple[list, ...]
