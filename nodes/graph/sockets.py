"""What the pack's nodes hand to each other. Frozen: the host keeps outputs between runs."""

from __future__ import annotations

from dataclasses import dataclass

from comfy_api.latest import io

from ...headforcing_core.video import TimedPrompt

CATEGORY = "Head Forcing"

CacheMethodSocket = io.Custom("HEADFORCING_METHOD")
HeadMapSocket = io.Custom("HEADFORCING_HEAD_MAP")
ScheduleSocket = io.Custom("HEADFORCING_SCHEDULE")


@dataclass(frozen=True)
class EncodedPrompts:
    """A prompt schedule with the host's conditioning of every prompt.

    Args:
        prompts: texts and when they begin; the sampler knows where chunks do.
        conditioning: as CLIP Text Encode gives it, one per prompt.
        known: whether texts are what was encoded; of plain CONDITIONING they are not.
    """

    prompts: tuple[TimedPrompt, ...]
    conditioning: tuple[list, ...]
    known: bool = True


def encoded(prompts: EncodedPrompts | list) -> EncodedPrompts:
    """Return a schedule; plain CONDITIONING is one prompt for the whole video."""
    if isinstance(prompts, EncodedPrompts):
        return prompts
    return EncodedPrompts((TimedPrompt("the prompt"),), (prompts,), known=False)
