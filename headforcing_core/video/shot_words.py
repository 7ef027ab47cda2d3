"""Words with which a prompt begins a shot, for models that were trained to hear them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from .timed_prompt import TimedPrompt


def with_cuts(prompts: Sequence[TimedPrompt], words: str | None) -> tuple[TimedPrompt, ...]:
    """Return prompts without the words; those that began with them, but the first, are cuts.

    Args:
        words: None: of a model that was trained with none.
    """
    if words is None:
        return tuple(prompts)
    bare = [prompt.text.lstrip().removeprefix(words.strip()).lstrip() for prompt in prompts]
    return tuple(
        replace(prompt, text=text, cut=number > 0) if text != prompt.text.lstrip() else prompt
        for number, (prompt, text) in enumerate(zip(prompts, bare, strict=True))
    )


def shot_texts(prompts: Sequence[TimedPrompt], words: str | None) -> dict[int, str]:
    """Return what is said in the first chunk of every shot: number of the prompt -> text.

    Args:
        prompts: see ``with_cuts``.

    Source: LongLive 2.0 (NVlabs/LongLive at commit 7860ad9), its ``scene_cut_prefix``.
    """
    if words is None:
        return {}
    return {n: words + prompt.text for n, prompt in enumerate(prompts) if n and prompt.cut}
