"""What a picture of a schedule must know: prompts where they will be, and where chunks begin."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .clock import ChunkClock
from .geometry import VideoFormat
from .prompt_plan import snapped
from .timed_prompt import TimedPrompt


def prompt_bars(
    prompts: Sequence[TimedPrompt],
    cuts: Sequence[bool],
    clock: ChunkClock | None,
    form: VideoFormat,
) -> dict[str, Any]:
    """Return prompts as they were read and as they will be, for JSON.

    Where they do not fit on the chunks, what is wrong is said, and they are where they were asked
    for.

    Args:
        cuts: whether each is a cut to the model, however that was said.
        clock: None: the length is not known, and neither is where chunks begin.

    Returns:
        prompts, each with text, start and end as asked for, cut as written, cuts, and ``at``, the
        second at which it begins; edges, seconds at which chunks begin; length; problem.
    """
    starts, problem = None, None
    if clock is not None:
        try:
            starts = [form.moment(frame) for frame in snapped(prompts, clock, form)]
        except ValueError as error:
            problem = str(error)
    at = [prompt.start for prompt in prompts] if starts is None else starts
    return {
        "prompts": [
            {"text": p.text, "start": p.start, "end": p.end, "cut": p.cut, "cuts": c, "at": second}
            for p, c, second in zip(prompts, cuts, at, strict=True)
        ],
        "edges": None if clock is None else [form.moment(chunk.start) for chunk in clock],
        "length": None if clock is None else form.moment(clock.total_frames),
        "problem": problem,
    }
