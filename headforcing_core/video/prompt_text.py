"""Prompt schedules as people type them, in the forms their fingers know.

What can be read with certainty is read; a text that looks timed and is not read is refused with the
line; everything else is one plain prompt, its quotes, brackets and paragraphs as they are.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from .clock import ChunkClock
from .geometry import VideoFormat
from .prompt_data import from_json, keyed
from .prompt_times import LOOKS, bare, bracketed, parenthesised, plain_signs
from .prompts import PromptSchedule
from .timed_prompt import Reading, TimedPrompt, Unit

NUMBER = r"\d+(?:\.\d+)?"
AT = re.compile(rf"({NUMBER})(s?)\s*@\s*(.*)", re.DOTALL)
LASTING = re.compile(rf"(.*?)\s*\[\s*({NUMBER})\s*(s?)\s*(#?)\s*\]\s*", re.DOTALL)
SHOT = re.compile(
    r"^[ \t]*\[?\s*(?:shot|scene|part|clip|镜头|场景)\s*(\d+)\s*\]?\s*[:.\-]?[ \t]*",
    re.IGNORECASE | re.MULTILINE,
)
# of a plain text: a range of times with a unit, twice, was meant as times
RANGE = re.compile(
    rf"\d\s*(?:s\s*)?(?:-|~|to)\s*{NUMBER}\s*(?:s|seconds?|secs?)\b|\d:\d\d\s*-\s*\d+:\d\d"
)
# a line that begins with a time behind other signs, such as those of lists and subtitles
BEHIND = re.compile(rf"^[\W_]*(?:\d+:\d{{2}}\b|{NUMBER}\s*s?\s*(?:-|:|~)\s*\d)", re.MULTILINE)
FORMS = (
    '"[0:10] text", "0-10s: text", "0:00 text", "text [10s] | text [10s#]", "0": "text", '
    '"24": "text", "24@text", JSON, or plain texts with | between them'
)


def parse_prompts(text: str, fps: float, unit: Unit = Unit.AUTO) -> tuple[TimedPrompt, ...]:
    """Read a schedule in any of its forms.

    Args:
        fps: pictures per second, for numbers that count pictures.

    Raises:
        ValueError: if there is no text, times do not ascend, or what looks timed is in no form
            that is read, saying where.
    """
    if not re.search(r"[^\s|]", text):
        raise ValueError(f"a prompt schedule must have a text, got none; write {FORMS}")
    how, stripped = Reading(fps, unit), text.strip()
    for form in (from_json, keyed, _at, bracketed, parenthesised, bare, _shots, _lasting):
        prompts = form(stripped, how)
        if prompts is not None:
            return _checked(prompts)
    _check_plain(stripped)
    return _checked([TimedPrompt(item) for item in _divided(stripped)])


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
    lines, apart = [], video.moment(clock.frames_per_chunk)
    for prompt, start, end in zip(prompts, starts, ends, strict=True):
        wanted = "" if prompt.start is None else f" (asked for {prompt.start:g} s)"
        moved = prompt.start is not None and abs(video.moment(start) - prompt.start) > 1e-6
        cut = ", cut" if prompt.cut else ""
        if prompt.end is not None and abs(video.moment(end) - prompt.end) > 0.5 * apart + 1e-6:
            cut += (
                f", goes on to there (was to end at {prompt.end:g} s)"
                if (prompt.end < video.moment(end))
                else f", ends there (was to end at {prompt.end:g} s)"
            )
        lines.append(
            f"{video.moment(start):g} s to {video.moment(end):g} s, frames {start} to {end - 1}"
            f"{cut}{wanted if moved else ''}: {prompt.text}"
        )
    return "\n".join(lines)


def _seconds(clock: ChunkClock, video: VideoFormat) -> float:
    return video.moment(clock.total_frames)


def _divided(text: str) -> list[str]:
    """Divide a text at every | that stands in no brackets."""
    parts, depth, signs = [""], 0, plain_signs(text)
    for sign, letter in zip(signs, text, strict=True):
        depth += (sign in "([{") - (sign in ")]}" and depth > 0)
        if sign == "|" and depth == 0:
            parts.append("")
        else:
            parts[-1] += letter
    return [part.strip() for part in parts if part.strip()]


def _at(text: str, how: Reading) -> list[TimedPrompt] | None:
    """Read ``24@text``, one of which makes all lines such."""
    items = [item.strip() for item in re.split(r"[|\n]", text) if item.strip()]
    if not any(AT.fullmatch(item) for item in items):
        return None
    prompts = []
    for item in items:
        found = AT.fullmatch(item)
        if found is None:
            raise ValueError(f"every line must be like 24@text once one is, got {item[:40]!r}")
        start = how.seconds(found[1] + found[2], counts_pictures=True)
        prompts.append(TimedPrompt(found[3].strip(), start))
    return prompts


def _shots(text: str, how: Reading) -> list[TimedPrompt] | None:
    """Read ``[Shot 1] text``, numbered from 1: they share the video."""
    found = list(SHOT.finditer(plain_signs(text)))
    if len(found) < 2 or [int(one[1]) for one in found] != list(range(1, len(found) + 1)):
        return None
    _check_plain(text)
    heading = " ".join(text[: found[0].start()].split())
    ends = [*(one.start() for one in found[1:]), len(text)]
    said = [text[one.end() : end].strip() for one, end in zip(found, ends, strict=True)]
    return [TimedPrompt(f"{heading} {one}".strip() if one else "") for one in said]


def _lasting(text: str, how: Reading) -> list[TimedPrompt] | None:
    """Read ``text [10s] | text [10s#]``; a number without a unit lasts only beside others."""
    items = _divided(text)
    if len(items) == 1:
        items = [item.strip() for item in text.split("\n") if item.strip()]
    found = [LASTING.fullmatch(item) for item in items]
    sure = any(one and (one[3] or one[4]) for one in found)
    if not any(found) or not (sure or (len(found) > 1 and all(found[:-1]))):
        return None
    prompts, start = [], 0.0
    for number, (item, one) in enumerate(zip(items, found, strict=True)):
        if one is None and number < len(items) - 1:
            raise ValueError(
                f"every prompt but the last must say how long, like text [10s], got {item[:40]!r}"
            )
        said, lasts, s, cut = one.groups() if one else (item, "0", "s", "")
        end = start + how.seconds(lasts + s)
        prompts.append(TimedPrompt(said, start, bool(cut), end if one else None))
        start = end
    return prompts


def _check_plain(text: str) -> None:
    """Refuse what was meant as times and is in no form that is read."""
    signs = plain_signs(text)
    for line, shown in zip(signs.split("\n"), text.split("\n"), strict=True):
        if LOOKS.match(line):
            raise ValueError(
                "a line that looks timed must be in a form that is read, got "
                f"{shown.strip()[:40]!r}; write {FORMS}"
            )
    meant = max((list(form.finditer(signs)) for form in (RANGE, BEHIND)), key=len)
    if len(meant) > 1:
        near = text[max(0, meant[0].start() - 10) :][:40]
        raise ValueError(f"times must stand in front of their texts, got {near!r}; write {FORMS}")


def _checked(prompts: Sequence[TimedPrompt]) -> tuple[TimedPrompt, ...]:
    for prompt in prompts:
        if not prompt.text:
            raise ValueError(f"every prompt must have a text, got none at {prompt.start or 0:g} s")
    timed = [prompt.start is not None for prompt in prompts]
    if any(timed) and not all(timed):
        raise ValueError("prompts must all have a time or none, got some of each")
    times = [prompt.start for prompt in prompts if prompt.start is not None]
    if times and times[0] != 0:
        raise ValueError(f"the first prompt must begin at 0, got {times[0]:g} s")
    for one, other in pairwise(times):
        if other <= one:
            raise ValueError(
                f"prompts must begin one after the other, got {other:g} s after {one:g} s"
            )
    return tuple(prompts)
