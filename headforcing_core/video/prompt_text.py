"""Prompt schedules as people type them, in the forms their fingers know.

What can be read with certainty is read; a text that looks timed and is not read is refused with the
line; everything else is one plain prompt, its quotes, brackets and paragraphs as they are.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from .prompt_data import from_data, keyed, looks_like_data
from .prompt_doubts import suspicious
from .prompt_marks import SHOTS
from .prompt_signs import bars, cleaned, divided, line_at, plain_signs
from .prompt_times import check_closed, timed
from .timed_prompt import (
    EXACT,
    LONGEST,
    MOST,
    SECOND,
    Reading,
    TimedPrompt,
    Unit,
    brief,
    headed,
)

AT = re.compile(rf"({EXACT}(?:\ ?{SECOND})?|\d+:\d\d)(\#?)\s?@\s?(.*)", re.DOTALL | re.IGNORECASE)
LASTING = re.compile(
    rf"\[\ ?(?P<lasts>{EXACT}\ ?(?P<unit>{SECOND})?)\ ?(?P<cut>\#?)\ ?\]\Z", re.IGNORECASE
)
# how long, where no text ends
INSIDE = re.compile(rf"\[\ ?{EXACT}\ ?{SECOND}", re.IGNORECASE)
SHOT = re.compile(
    rf"^[ ]{{0,8}}(?:\[\ ?{SHOTS}\ ?(?P<boxed>\d+)\ ?\](?:\ ?[:.,;\u2014-](?=\s))?"
    rf"|{SHOTS}\ ?(?P<number>\d+)(?:\ ?[:\u2014)](?!\d)|\ -(?=\ )|\.(?=\s)|\ ?$))\ ?",
    re.IGNORECASE | re.MULTILINE,
)
# written in other ways, which are not read
OTHERS = "|".join(
    (
        rf"^[^\w\n]{{0,8}}(?:{SHOTS}|\u30ab\u30c3\u30c8|\u30b7\u30fc\u30f3)\ ?\#?"
        r"(?:\d+|one|two|[\u4e00-\u5341])(?:[.-]\d+)?[ \])*]{0,3}(?:[:|)\]]|$)",
        rf"^[^\w\n]{{0,8}}\[\ ?{SHOTS}\ ?\d+\ ?[:.,;-]",
        r"\u7b2c[\d\u4e00-\u5341]+\u4e2a(?:\u955c\u5934|\u573a\u666f)",
        rf"\b{SHOTS}\ \d+:\ ",
        rf"\[{SHOTS}\ \d+\]",
    )
)
OTHER_SHOTS = re.compile(OTHERS, re.IGNORECASE | re.MULTILINE)
# of two that programs write for one sign; no text encoder takes it
HALF = re.compile("[\ud800-\udfff]")
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
    if len(text) > LONGEST:
        raise ValueError(
            f"a prompt schedule must have at most {LONGEST} characters, got {len(text)}; make a "
            "schedule of each part"
        )
    shown = cleaned(text)
    if not shown.strip(" |\n\t"):
        raise ValueError(f"a prompt schedule must have a text, got none; write {FORMS}")
    how = Reading(fps, unit)
    for form in (from_data, keyed, _at, timed, _lasting):
        prompts = form(shown, how)
        if prompts is not None:
            return _checked(prompts)
    _check_plain(shown)
    prompts = _shots(shown) or [TimedPrompt(item) for item in divided(shown)]
    # a plain prompt stays as it is
    return _checked(prompts if len(prompts) > 1 or bars(shown) else [TimedPrompt(text.strip())])


def with_prefix(prompts: Sequence[TimedPrompt], prefix: str) -> tuple[TimedPrompt, ...]:
    """Put the same words in front of every prompt.

    Raises:
        ValueError: if that comes to more than a schedule may have, or no encoder takes the words.
    """
    texts = headed(prefix.strip(), [prompt.text for prompt in prompts])
    found = [replace(prompt, text=text) for prompt, text in zip(prompts, texts, strict=True)]
    _check_each(found)
    return tuple(found)


def _at(text: str, how: Reading) -> list[TimedPrompt] | None:
    """Read ``24@text``, one of which makes all lines such."""
    items = [part.strip() for line in text.split("\n") for part in divided(line)]
    found = [AT.match(plain_signs(item)) for item in items]
    if not any(found):
        return None
    prompts = []
    for item, one in zip(items, found, strict=True):
        if one is None or re.search(r"[,;]\ ?\d+s?\ ?@\ ?\w", item[one.start(3) :]):
            raise ValueError(
                f"every line must be like 24@text once one is, got {line_at(text, text.find(item))}"
            )
        start = how.seconds(one[1], counts_pictures=True)
        prompts.append(TimedPrompt(item[one.start(3) :].strip(), start, bool(one[2])))
    return prompts


def _lasting(text: str, how: Reading) -> list[TimedPrompt] | None:
    """Read ``text [10s] | text [10s#]``; a number without a unit lasts only beside others."""
    items = divided(text)
    if len(items) == 1:
        items = [item.strip() for item in text.split("\n") if item.strip()]
    found = [LASTING.search(plain_signs(item)) for item in items]
    sure = any(one and (one["unit"] or one["cut"]) for one in found)
    if not any(found) or not (sure or (len(found) > 1 and all(found[:-1]))):
        return None
    prompts, start = [], 0.0
    for number, (item, one) in enumerate(zip(items, found, strict=True)):
        if one is None and number < len(items) - 1:
            raise ValueError(
                "every prompt but the last must say how long, like text [10s], got "
                f"{line_at(text, text.find(item))}"
            )
        said = item[: one.start()].rstrip() if one else item
        if OTHER_SHOTS.search(said) or INSIDE.search(plain_signs(said)):
            raise ValueError(
                "times like [10s] must stand at the ends of texts with | between them, got "
                f"{line_at(text, text.find(item))}"
            )
        end = start + how.seconds(one["lasts"]) if one else None
        if end is not None and end <= start:
            raise ValueError(
                f"a prompt must last longer than nothing, got {one[0][:40]} behind {said[:40]!r}"
            )
        prompts.append(TimedPrompt(said, start, bool(one and one["cut"]), end))
        start = end or start
    return prompts


def _shots(text: str) -> list[TimedPrompt] | None:
    """Read ``[Shot 1] text``, numbered from 1: they share the video.

    Raises:
        ValueError: if they are numbered otherwise, or written in a way that is not read.
    """
    signs = plain_signs(text)
    found = list(SHOT.finditer(signs))
    others = list(OTHER_SHOTS.finditer(signs))
    # float: of any number of digits
    numbers = [float(one["number"] or one["boxed"]) for one in found]
    in_order = numbers == list(range(1, len(found) + 1))
    if len(found) > 1 and in_order and len(others) <= len(found):
        heading = " ".join(text[: found[0].start()].split())
        ends = [*(one.start() for one in found[1:]), len(text)]
        said = [text[one.end() : end].strip(" \t\n|") for one, end in zip(found, ends, strict=True)]
        return [TimedPrompt(one.strip()) for one in headed(heading, said)]
    if max(len(found), len(others)) > 1:
        (one, *_) = others or found
        raise ValueError(
            "shots must be numbered 1, 2, 3 at the beginning of lines, like Shot 1: text, got "
            f"{line_at(text, one.start())}"
        )
    return None


def _check_plain(text: str) -> None:
    """Refuse what was meant as times, or data, and is in no form that is read."""
    line = looks_like_data(text)
    mark = suspicious(text)
    if line is None and mark is not None:
        check_closed(text, 0, mark)
        line = line_at(text, mark.begin)
    if line is not None:
        raise ValueError(
            f"what looks like times must be in a form that is read, got {line}; write {FORMS}"
        )


def _check_each(prompts: Sequence[TimedPrompt]) -> None:
    """Refuse a prompt that could be none in any schedule."""
    if len(prompts) > MOST:
        raise ValueError(
            f"a prompt schedule must have at most {MOST} prompts, got {len(prompts)}; a day of "
            "video has no more chunks"
        )
    for prompt in prompts:
        if not prompt.text:
            raise ValueError(f"every prompt must have a text, got none at {prompt.start or 0:g} s")
        half = HALF.search(prompt.text)
        if half:
            raise ValueError(
                f"a prompt must have whole characters, got {half[0]!r}, half of one, in "
                f"{brief(prompt.text)}; type it anew"
            )
        if not all(math.isfinite(time) for time in (prompt.start or 0, prompt.end or 0)):
            raise ValueError(
                "every time must be a number of seconds, got one without an end for "
                f"{brief(prompt.text)}; write fewer digits"
            )


def _checked(prompts: Sequence[TimedPrompt]) -> tuple[TimedPrompt, ...]:
    _check_each(prompts)
    timed_ones = [prompt.start is not None for prompt in prompts]
    if any(timed_ones) and not all(timed_ones):
        raise ValueError("prompts must all have a time or none, got some of each")
    starts = [prompt.start for prompt in prompts if prompt.start is not None]
    if starts and starts[0] != 0:
        raise ValueError(
            f"the first prompt must begin at 0, got {starts[0]:g} s before {prompts[0].text[:40]!r}"
        )
    for one, other in pairwise(starts):
        if other <= one:
            raise ValueError(
                f"prompts must begin one after the other, got {other:g} s after {one:g} s"
            )
    if not starts:
        for prompt in prompts if len(prompts) > 1 else ():
            mark = suspicious(f"-\n{prompt.text}")
            if mark is not None:
                raise ValueError(
                    "times must all be in one form that is read, in front of their texts, got "
                    f"{prompt.text[:40]!r}; write {FORMS}"
                )
    return tuple(prompts)
