"""What the pack's nodes hand to each other. Frozen: the host keeps outputs between runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from comfy_api.latest import io

from ...headforcing_core.models import FAMILIES, Family
from ...headforcing_core.video import (
    TimedPrompt,
    Unit,
    parse_prompts,
    shot_texts,
    with_cuts,
    with_prefix,
)

CATEGORY = "Head Forcing"

CacheMethodSocket = io.Custom("HEADFORCING_METHOD")
HeadMapSocket = io.Custom("HEADFORCING_HEAD_MAP")
ScheduleSocket = io.Custom("HEADFORCING_SCHEDULE")


@dataclass(frozen=True)
class Written:
    """A schedule as it was typed: numbers that count pictures mean a model's own.

    Args:
        text, prefix, unit: of Prompt Schedule.
    """

    text: str
    prefix: str
    unit: Unit

    def prompts(self, fps: float) -> tuple[TimedPrompt, ...]:
        """Return the prompts of a video of so many pictures per second."""
        return with_prefix(parse_prompts(self.text, fps, self.unit), self.prefix)


@dataclass(frozen=True)
class EncodedPrompts:
    """A prompt schedule with the host's conditioning of every prompt.

    Args:
        prompts: texts and when they begin; the sampler knows where chunks do.
        conditioning: as CLIP Text Encode gives it, one per prompt.
        known: whether texts are what was encoded; of plain CONDITIONING they are not.
        written: what is read anew for a model's pictures per second; None: times are as they are.
        more: of further texts that a model may have to be told.
        shots: of the first chunk of a shot, by the number of its prompt.
    """

    prompts: tuple[TimedPrompt, ...]
    conditioning: tuple[list, ...]
    known: bool = True
    written: Written | None = None
    more: Mapping[str, list] = field(default_factory=dict)
    shots: Mapping[int, list] = field(default_factory=dict)

    def told(self, family: Family) -> EncodedPrompts:
        """Return the schedule as models of a family are told it."""
        if not self.known:
            return self
        texts = (prompt.text for prompt in self.prompts)
        by_text = {**self.more, **dict(zip(texts, self.conditioning, strict=True))}
        written, words = self.written, family.shot_words
        prompts = self.prompts if written is None else written.prompts(family.video.fps)
        prompts = with_cuts(prompts, words)
        shots = {number: by_text[text] for number, text in shot_texts(prompts, words).items()}
        return replace(
            self,
            prompts=prompts,
            conditioning=tuple(by_text[prompt.text] for prompt in prompts),
            shots=shots,
        )


def shot_words_texts(prompts: Sequence[TimedPrompt]) -> list[str]:
    """Return what models may have to be told besides prompts, where shots begin."""
    found: list[str] = []
    for words in dict.fromkeys(family.shot_words for family in FAMILIES if family.shot_words):
        bare = with_cuts(prompts, words)
        found += [prompt.text for prompt in bare]
        found += shot_texts(bare, words).values()
    known = {prompt.text for prompt in prompts}
    return [text for text in dict.fromkeys(found) if text not in known]


def encoded(prompts: EncodedPrompts | list) -> EncodedPrompts:
    """Return a schedule; plain CONDITIONING is one prompt for the whole video."""
    if isinstance(prompts, EncodedPrompts):
        return prompts
    return EncodedPrompts((TimedPrompt("the prompt"),), (prompts,), known=False)
