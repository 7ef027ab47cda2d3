"""A prompt that comes while its video is made, and the schedule as it then ran."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .clock import ChunkClock
from .geometry import VideoFormat
from .prompt_plan import prompts_text, snapped
from .prompt_text import parse_prompts
from .timed_prompt import TimedPrompt, Unit, brief

# numbers that count pictures are read by it; times that are written here have units
ANY_FPS = 16.0
# of one prompt: encoders read fewer, and who waits for it waits until all are looked through
MOST_LETTERS = 10_000


@dataclass(frozen=True)
class LivePrompt:
    """What is shown from the next chunk on.

    Args:
        cut: what was before is not to be remembered.
    """

    text: str
    cut: bool = False

    @classmethod
    def read(cls, text: str, cut: bool = False) -> LivePrompt:
        """Read what was typed.

        Raises:
            ValueError: if it is no prompt, or several, or says when it begins.
        """
        if not text.strip():
            raise ValueError("a live prompt must have a text, got none")
        if len(text) > MOST_LETTERS:
            raise ValueError(
                f"a live prompt must have at most {MOST_LETTERS} characters, got {len(text)}"
            )
        prompts = parse_prompts(text, ANY_FPS)
        if len(prompts) > 1 or prompts[0].start is not None:
            raise ValueError(
                "a live prompt must be one prompt without a time, for it begins with the next "
                f"chunk, got {brief(text)}; a schedule belongs into the prompts of the video"
            )
        live = cls(prompts[0].text, cut)
        # refuses what could not be written into the schedule
        schedule_text([TimedPrompt(live.text, 0.0)])
        return live


def as_ran(
    prompts: Sequence[TimedPrompt],
    clock: ChunkClock,
    video: VideoFormat,
    frame: int,
    live: LivePrompt,
) -> tuple[TimedPrompt, ...]:
    """Return a schedule with a prompt that one of its chunks took, each with its true time.

    What was to begin with that chunk gives way to it, and leaves it its cut; what begins later
    stays.

    Args:
        frame: at which the chunk begins.
    """
    starts = snapped(prompts, clock, video)
    told = dict(zip(starts, prompts, strict=True))
    before = told.get(frame)
    cut = live.cut or (before is not None and before.cut)
    told[frame] = TimedPrompt(live.text, cut=cut and frame > 0)
    return tuple(
        TimedPrompt(told[start].text, _second(start, video), told[start].cut)
        for start in sorted(told)
    )


def schedule_text(prompts: Sequence[TimedPrompt]) -> str:
    """Return a schedule that is read as these prompts, whatever a number without a unit means.

    Args:
        prompts: each with its time, the first with 0.

    Raises:
        ValueError: if there is none.
    """
    lines = "\n".join(f"[{p.start:.10g}s{'#' if p.cut else ''}] {p.text}" for p in prompts)
    for text in (lines, prompts_text(prompts)):
        if all(_read(text, unit) == _said(prompts) for unit in Unit):
            return text
    raise ValueError(
        "prompts must be such that a schedule can hold them, got one that would be read otherwise "
        f"among {brief([prompt.text for prompt in prompts])}; leave out brackets and bars"
    )


def _second(frame: int, video: VideoFormat) -> float:
    # a chunk is far longer than what is cut off
    return round(video.moment(frame), 3)


def _read(text: str, unit: Unit) -> list[tuple[str, float | None, bool]] | None:
    try:
        return _said(parse_prompts(text, ANY_FPS, unit))
    except ValueError:
        return None


def _said(prompts: Sequence[TimedPrompt]) -> list[tuple[str, float | None, bool]]:
    return [(prompt.text, prompt.start, prompt.cut) for prompt in prompts]
