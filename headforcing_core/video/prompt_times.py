"""Prompts with a time in front: in brackets, in parentheses, or bare at the beginning of a line."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from itertools import pairwise

from .prompt_doubts import left_over
from .prompt_marks import Mark, marks, parts_of
from .prompt_signs import bars, line_at, segments
from .timed_prompt import Reading, TimedPrompt, Unit, headed, unit_of

Span = tuple[float, float | None]
# a line with words: nothing that could be divided in two ways, or long lines take for ever
WORDS = r"[^\S\n]*[^\s\n][^\n]*\n"
HEADER = re.compile(rf"\AWEBVTT\b[^\n]*\n(?:{WORDS})*")
NUMBERED = re.compile(r"^\d+[ \t]*\n(?=[\d:.,]+ --> )", re.MULTILINE)
# subtitles with names and places of their own
STYLED = re.compile(rf"^{WORDS}[\d:.,]+ --> |^[\d:.,]+ --> \S+[ \t]+\S", re.MULTILINE)
READ = {"", "\t", ".", ":", "-", ",", ";", "=", "->", "=>", "-->"}
HOW = 'write "[0:10] text" or "0-10s: text" on every line'


def timed(text: str, how: Reading) -> list[TimedPrompt] | None:
    """Read times in front of texts; None if no line begins with one.

    Raises:
        ValueError: if a line begins with what looks like a time and cannot be read.
    """
    text = NUMBERED.sub("", HEADER.sub("", text)).strip()
    styled = STYLED.search(text) if " --> " in text else None
    if styled:
        raise ValueError(
            "subtitles must have times and texts alone, with an empty line between them, got "
            f"{line_at(text, styled.start())}; {HOW}"
        )
    found = [mark for mark in marks(text) if mark.says]
    for style, chosen in (
        (_bracketed, [m for m in found if m.box == "[" and m.clean]),
        (_parenthesised, [m for m in found if m.box == "(" and m.begins and m.clean]),
        (_bare, [m for m in found if not m.box and m.begins and m.clean]),
    ):
        own = style(text, chosen, how)
        if own and _stands_first(text, own[0]):
            return _between(text, own, how)
    return None


def _stands_first(text: str, mark: Mark) -> bool:
    """Whether there is nothing in front of a mark but lines of a heading."""
    before = text[: mark.begin]
    return not before.strip() or before.rstrip(" \t").endswith("\n")


def _bracketed(text: str, found: Sequence[Mark], how: Reading) -> list[Mark]:
    """Leave out numbers that stand alone in brackets in the middle of a line.

    One such number at the beginning is none either: [3] birds.
    """
    begins = [part.begin for part in segments(text)]
    lines = [bisect_right(begins, m.begin) for m in found]
    begun = {line for line, m in zip(lines, found, strict=True) if m.begins}
    told = [
        m for line, m in zip(lines, found, strict=True)
        if line in begun or m.has_unit or m.other is not None
    ]  # fmt: skip
    if len(told) == 1 and not told[0].has_unit:
        last = told[0].last
        return told if last is not None and not last <= told[0].first else []
    return told


def _parenthesised(text: str, found: Sequence[Mark], how: Reading) -> list[Mark]:
    """Leave out weights and numbers: they have no unit and no end."""
    told = [m for m in found if m.has_unit or m.other is not None]
    if len(told) == 1:
        (mark,) = told
        sure = mark.has_unit and mark.first == 0 and not text[: mark.begin].strip()
        return told if sure else []
    return told


def _bare(text: str, found: Sequence[Mark], how: Reading) -> list[Mark]:
    """Leave out what a line of a plain prompt may begin with, too.

    Raises:
        ValueError: if numbers before a colon do not say what they count.
    """
    told = [m for m in found if (m.has_unit or m.sign == ":") and m.sign in READ]
    if all(m.is_weak for m in told):  # 0m: sea level
        return []
    unsaid = [m for m in told if not m.has_unit and m.other is None]
    begins = bool(told) and told[0].first == 0
    if unsaid and how.unit is Unit.AUTO:
        if not begins:
            return []
        raise ValueError(
            "numbers in front of texts must say what they count, got "
            f"{line_at(text, unsaid[0].begin)}; write 0s: for seconds or 0@ for pictures, or "
            "choose units"
        )
    if len(told) != 1:
        return told
    (mark,) = told
    certain = mark.sign == ":" and (begins or mark.other is not None)
    if certain or (begins and mark.other is not None):
        return told
    if begins and mark.is_clock:
        raise ValueError(
            f"a time alone must have a colon behind it, got {line_at(text, mark.begin)}; write "
            '"0:00: text" for a prompt with a time, or put a word in front of it'
        )
    return []


def _between(text: str, found: Sequence[Mark], how: Reading) -> list[TimedPrompt]:
    """Return the texts between marks; what stands before the first goes in front of every one.

    Raises:
        ValueError: if a time cannot be read, or one was left in a text.
    """
    spans = _spans(text, found, how)
    heading = " ".join(text[: found[0].begin].split())
    _refuse(text, 0, left_over(text[: found[0].begin], -1, None, 0))
    divides, said = bars(text), []
    starts = [span[0] for span in spans]
    gap = max([other - one for one, other in pairwise(starts)], default=30.0)
    nexts = [*starts[1:], starts[-1] + 2 * gap]
    for mark, (begin, end), start, beyond in zip(
        found, parts_of(found, len(text)), starts, nexts, strict=True
    ):
        said.append(text[begin:end].strip(" \t\r\n|,\u3000\xa0"))
        _refuse(text, begin, left_over(text[begin:end], start, mark.last, beyond))
        _check_undivided(text, begin, begin + len(text[begin:end].rstrip(" \t\n|")), divides)
    return [
        TimedPrompt(each, span[0], mark.cut, span[1])
        for each, mark, span in zip(headed(heading, said), found, spans, strict=True)
    ]


def _check_undivided(text: str, begin: int, end: int, divides: Sequence[int]) -> None:
    """Refuse a part without a time in the text of a prompt."""
    first = bisect_right(divides, begin)
    inside = first < len(divides) and divides[first] < end
    if inside and text[begin : divides[first]].strip(" |\n"):
        raise ValueError(
            f"every text must have its time once one has, got {line_at(text, divides[first])}; "
            "write [0:10] in front of what follows the |"
        )


def check_closed(text: str, begin: int, mark: Mark) -> None:
    """Say of a bracket that it is not closed, if that is what is wrong.

    Raises:
        ValueError: if it is.
    """
    if not mark.closed:
        raise ValueError(
            "a bracket with a time must be closed, got "
            f"{line_at(text, begin + mark.begin)}; write [0:10] text"
        )


def _refuse(text: str, begin: int, mark: Mark | None) -> None:
    if mark is not None:
        check_closed(text, begin, mark)
        raise ValueError(
            "times must all be in one form that is read, in front of their texts, got "
            f"{line_at(text, begin + mark.begin)}; {HOW}"
        )


def _spans(text: str, found: Sequence[Mark], how: Reading) -> list[Span]:
    """Return when each begins and is said to end.

    ``[0:10]`` is from 0 to 10, unless the others tell that it is a clock.

    Raises:
        ValueError: if that cannot be told, or a time cannot be read.
    """
    pairs = [_may_be_span(m) for m in found]
    ranges = [m for m in found if m.box and m.other is not None and not m.is_clock]
    certain = [m for m, pair in zip(found, pairs, strict=True) if m.is_clock and not pair]
    as_clocks = [_span(text, mark, how) for mark in found]
    if not any(pairs) or certain:
        return _checked(text, found, as_clocks)
    as_spans = [_span(text, mark, how, pair) for mark, pair in zip(found, pairs, strict=True)]
    clocks = not ranges and _ascends(as_clocks) and as_clocks[0][0] == 0
    if _ascends(as_spans) and not clocks:
        if not ranges and _ascends(as_clocks) and _overlaps(as_spans):
            raise ValueError(
                "times in brackets must be ranges or clocks, and could be both, got "
                f"{line_at(text, found[0].begin)}; write [0-30s] or [0:00-0:30]"
            )
        return as_spans
    return _checked(text, found, as_clocks if clocks else as_spans)


def _may_be_span(mark: Mark) -> bool:
    """Whether a mark is like [0:10]: a clock, or from 0 to 10."""
    alone = mark.box and mark.other is None
    return bool(alone and re.fullmatch(r"\d+:\d{2}", mark.one))


def _ascends(spans: Sequence[Span]) -> bool:
    starts = all(one[0] < other[0] for one, other in pairwise(spans))
    return starts and all(end is None or start < end for start, end in spans)


def _overlaps(spans: Sequence[Span]) -> bool:
    """Whether one begins before half of the one in front is over."""
    return any(one[1] is not None and other[0] < sum(one) / 2 for one, other in pairwise(spans))


def _checked(text: str, found: Sequence[Mark], spans: Sequence[Span]) -> list[Span]:
    for mark, (start, end) in zip(found, spans, strict=True):
        if end is not None and end <= start:
            raise ValueError(f"a prompt must end after it begins, got {line_at(text, mark.begin)}")
    return list(spans)


def _span(text: str, mark: Mark, how: Reading, is_pair: bool = False) -> Span:
    """Return the seconds of one mark.

    Args:
        is_pair: it is like [0:10], and a range.
    """
    one, other = mark.one.split(":") if is_pair else (mark.one, mark.other)
    if other in ("end", "onward", "onwards", "+"):
        other = None
    try:
        if other is None:
            return how.seconds(one), None
        unit = unit_of(other)
        if unit and not unit_of(one) and ":" not in one:  # 0-5s
            one += unit
        return how.seconds(one), how.seconds(other)
    except ValueError:
        raise ValueError(
            "times in brackets must be like [0:10], [10] or [00:10-00:20], got "
            f"{line_at(text, mark.begin)}"
        ) from None
