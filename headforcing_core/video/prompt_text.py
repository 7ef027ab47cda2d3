"""Prompt schedules as people type them, in the forms their fingers know."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum
from itertools import pairwise

from .clock import ChunkClock
from .geometry import VideoFormat
from .prompts import PromptSchedule

NUMBER = r"\d+(?:\.\d+)?"
TIME = rf"(?:\d+:\d{{2}}(?:\.\d+)?|{NUMBER}s?)"
KEYED = re.compile(rf'\s*"\s*({NUMBER})\s*"\s*:\s*"((?:[^"\\]|\\.)*)"\s*(?:,|$)', re.DOTALL)
AT = re.compile(rf"({NUMBER})(s?)\s*@\s*(.*)", re.DOTALL)
BRACKETED = re.compile(r"\[([^\]\[]*)\]\s*([^\[]*)", re.DOTALL)
DASH = r"[-\u2013\u2014]"
SPAN = re.compile(rf"\s*({TIME})\s*(?:{DASH}\s*({TIME}))?\s*|\s*({NUMBER})\s*:\s*({NUMBER})\s*")
LASTING = re.compile(rf"(.*?)\s*\[\s*({NUMBER})\s*(s?)\s*(#?)\s*\]\s*", re.DOTALL)
FORMS = (
    '"[0:10] text", "text [10s] | text [10s#]", "0": "text", "24": "text", "24@text", or plain '
    "texts with | or line ends between them"
)


class Unit(Enum):
    """What a number without an s means.

    AUTO: seconds in brackets, pictures before @ and in quotes, as those forms are used elsewhere.
    """

    AUTO = "auto"
    SECONDS = "seconds"
    PICTURES = "frames"


@dataclass(frozen=True)
class TimedPrompt:
    """A prompt and when it begins.

    Args:
        start: in seconds; None: prompts share the video evenly.
        cut: what was before is not to be remembered.
    """

    text: str
    start: float | None = None
    cut: bool = False


def parse_prompts(text: str, fps: float, unit: Unit = Unit.AUTO) -> tuple[TimedPrompt, ...]:
    """Read a schedule in any of its forms.

    Args:
        fps: pictures per second, for numbers that count pictures.

    Raises:
        ValueError: if there is no text, or times do not ascend, saying where.
    """
    stripped = text.strip()
    if not re.search(r"[^\s|]", text):
        raise ValueError(f"a prompt schedule must have a text, got none; write {FORMS}")
    if stripped.startswith('"'):
        prompts = _keyed(stripped, fps, unit)
    elif stripped.startswith("[") and "]" in stripped:
        prompts = _bracketed(stripped, fps, unit)
    else:
        items = [item.strip() for item in re.split(r"[|\n]", stripped) if item.strip()]
        if any(AT.fullmatch(item) for item in items):
            prompts = [_at(item, fps, unit) for item in items]
        elif any(LASTING.fullmatch(item) for item in items):
            prompts = _lasting(items, fps, unit)
        else:
            prompts = [TimedPrompt(item) for item in items]
    return _checked(prompts)


def with_prefix(prompts: Sequence[TimedPrompt], prefix: str) -> tuple[TimedPrompt, ...]:
    """Put the same words in front of every prompt."""
    joined = f"{prefix.strip()} " if prefix.strip() else ""
    return tuple(replace(prompt, text=joined + prompt.text) for prompt in prompts)


def snapped(prompts: Sequence[TimedPrompt], clock: ChunkClock, video: VideoFormat) -> list[int]:
    """Return the frame at which each prompt begins: the nearest at which a chunk does.

    Raises:
        ValueError: if two would begin with the same chunk, or one after the end.
    """
    edges = [chunk.start for chunk in clock]
    share = clock.total_frames / len(prompts)
    starts = []
    for number, prompt in enumerate(prompts):
        even = number * share
        frame = even if prompt.start is None else prompt.start * video.fps / video.time_stride
        if frame >= clock.total_frames:
            raise ValueError(
                f"prompts must begin before the video ends at {_seconds(clock, video):g} s, got "
                f"{prompt.text[:40]!r} at {prompt.start:g} s"
            )
        # of two that are as near the later: a prompt is not obeyed before its time
        starts.append(min(edges, key=lambda edge: (abs(edge - frame), -edge)))
    for number, (one, other) in enumerate(pairwise(starts)):
        if other <= one:
            apart = video.moment(clock.frames_per_chunk)
            raise ValueError(
                f"prompts must be a chunk, {apart:g} s, apart, got {prompts[number].text[:40]!r} "
                f"and {prompts[number + 1].text[:40]!r} both at {video.moment(one):g} s"
            )
    return starts


def schedule_of(
    prompts: Sequence[TimedPrompt], texts: Sequence[object], clock: ChunkClock, video: VideoFormat
) -> PromptSchedule:
    """Return the schedule of what prompts were encoded to."""
    starts = snapped(prompts, clock, video)
    cuts = frozenset(s for s, prompt in zip(starts, prompts, strict=True) if prompt.cut)
    return PromptSchedule(tuple(starts), tuple(texts), cuts)


def plan_text(prompts: Sequence[TimedPrompt], clock: ChunkClock, video: VideoFormat) -> str:
    """Say what begins when, as it will be: a line per prompt."""
    starts = snapped(prompts, clock, video)
    ends = [*starts[1:], clock.total_frames]
    lines = []
    for prompt, start, end in zip(prompts, starts, ends, strict=True):
        wanted = "" if prompt.start is None else f" (asked for {prompt.start:g} s)"
        moved = prompt.start is not None and abs(video.moment(start) - prompt.start) > 1e-6
        cut = ", cut" if prompt.cut else ""
        lines.append(
            f"{video.moment(start):g} s to {video.moment(end):g} s, frames {start} to {end - 1}"
            f"{cut}{wanted if moved else ''}: {prompt.text}"
        )
    return "\n".join(lines)


def _seconds(clock: ChunkClock, video: VideoFormat) -> float:
    return video.moment(clock.total_frames)


def _number(value: str, fps: float, unit: Unit, counts_pictures: bool) -> float:
    """Return seconds."""
    if unit is Unit.AUTO:
        unit = Unit.PICTURES if counts_pictures else Unit.SECONDS
    return float(value) / fps if unit is Unit.PICTURES else float(value)


def _keyed(text: str, fps: float, unit: Unit) -> list[TimedPrompt]:
    prompts, at = [], 0
    while at < len(text.rstrip()):
        found = KEYED.match(text, at)
        if found is None:
            raise ValueError(
                'a keyed schedule must be like "0": "text", "24": "text", '
                f"got {text[at : at + 40]!r}"
            )
        said = found[2].replace('\\"', '"').strip()
        prompts.append(TimedPrompt(said, _number(found[1], fps, unit, counts_pictures=True)))
        at = found.end()
    return prompts


def _at(item: str, fps: float, unit: Unit) -> TimedPrompt:
    found = AT.fullmatch(item)
    if found is None:
        raise ValueError(f"every line must be like 24@text once one is, got {item[:40]!r}")
    unit = Unit.SECONDS if found[2] else unit
    return TimedPrompt(found[3].strip(), _number(found[1], fps, unit, counts_pictures=True))


def _bracketed(text: str, fps: float, unit: Unit) -> list[TimedPrompt]:
    prompts = []
    for times, said in BRACKETED.findall(text):
        cut = times.rstrip().endswith("#")
        found = SPAN.fullmatch(times.rstrip().removesuffix("#"))
        if found is None:
            raise ValueError(
                f"times in brackets must be like [0:10], [10] or [00:10-00:20], got [{times[:40]}]"
            )
        one, end = (found[1], found[2]) if found[1] else (found[3], found[4])
        # 0:10 with a dash is a timecode, alone it is from 0 to 10
        if end is None and ":" in one:
            one, end = one.split(":")
        start = _time(one, fps, unit)
        if end is not None and _time(end, fps, unit) <= start:
            raise ValueError(f"a prompt must end after it begins, got [{times}]")
        prompts.append(TimedPrompt(said.strip(" \t\r\n|,"), start, cut))
    return prompts


def _time(value: str, fps: float, unit: Unit) -> float:
    minutes, colon, seconds = value.rpartition(":")
    if colon:
        return 60 * float(minutes) + float(seconds)
    if value.endswith("s"):
        return float(value[:-1])
    return _number(value, fps, unit, counts_pictures=False)


def _lasting(items: Sequence[str], fps: float, unit: Unit) -> list[TimedPrompt]:
    prompts, start = [], 0.0
    for number, item in enumerate(items):
        found = LASTING.fullmatch(item)
        if found is None and number < len(items) - 1:
            raise ValueError(
                f"every prompt but the last must say how long, like text [10s], got {item[:40]!r}"
            )
        said, lasts, s, cut = found.groups() if found else (item, "0", "s", "")
        prompts.append(TimedPrompt(said, start, bool(cut)))
        given = Unit.SECONDS if s else unit
        start += _number(lasts, fps, given, counts_pictures=False)
    return prompts


def _checked(prompts: Sequence[TimedPrompt]) -> tuple[TimedPrompt, ...]:
    for prompt in prompts:
        if not prompt.text:
            raise ValueError(f"every prompt must have a text, got none at {prompt.start or 0:g} s")
    times = [prompt.start for prompt in prompts if prompt.start is not None]
    if times and times[0] != 0:
        raise ValueError(f"the first prompt must begin at 0, got {times[0]:g} s")
    for one, other in pairwise(times):
        if other <= one:
            raise ValueError(
                f"prompts must begin one after the other, got {other:g} s after {one:g} s"
            )
    return tuple(prompts)
