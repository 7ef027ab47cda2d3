"""Prompts with a time in front: in brackets, in parentheses, or bare at the beginning of a line."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

from .prompt_doubts import left_over
from .prompt_marks import Mark, marks, parts_of
from .prompt_signs import Segment, bars, line_at, segments
from .timed_prompt import Reading, TimedPrompt, Unit, unit_of

Span = tuple[float, float | None]
HEADER = re.compile(r"\AWEBVTT\b[^\n]*\n(?:[^\n]*[^\s\n][^\n]*\n)*")
NUMBERED = re.compile(r"^\d+[ \t]*\n(?=[\d:.,]+ --> )", re.MULTILINE)
# subtitles with names and places of their own
STYLED = re.compile(r"^[^\n]*\S[^\n]*\n[\d:.,]+ --> |^[\d:.,]+ --> \S+[ \t]+\S", re.MULTILINE)
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
    heads = [part.begin for part in segments(text) for m in found if _in(m, part) and m.begins]
    begun = {part for part in segments(text) if part.begin in heads}
    told = [
        m for m in found
        if m.begins or m.has_unit or m.other is not None or any(_in(m, part) for part in begun)
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


def _in(mark: Mark, part: Segment) -> bool:
    return part.begin <= mark.begin < part.end


def _between(text: str, found: Sequence[Mark], how: Reading) -> list[TimedPrompt]:
    """Return the texts between marks; what stands before the first goes in front of every one.

    Raises:
        ValueError: if a time cannot be read, or one was left in a text.
    """
    spans = _spans(text, found, how)
    heading = " ".join(text[: found[0].begin].split())
    _refuse(text, 0, left_over(text[: found[0].begin], -1, None, 0))
    divides, prompts = bars(text), []
    starts = [span[0] for span in spans]
    gap = max([other - one for one, other in pairwise(starts)], default=30.0)
    nexts = [*starts[1:], starts[-1] + 2 * gap]
    for mark, (begin, end), span, beyond in zip(
        found, parts_of(found, len(text)), spans, nexts, strict=True
    ):
        said = text[begin:end].strip(" \t\r\n|,\u3000\xa0")
        _refuse(text, begin, left_over(text[begin:end], span[0], mark.last, beyond))
        inner = [at for at in divides if begin < at < begin + len(text[begin:end].rstrip(" \t\n|"))]
        if inner and text[begin : inner[0]].strip(" |\n"):
            raise ValueError(
                f"every text must have its time once one has, got {line_at(text, inner[0])}; "
                "write [0:10] in front of what follows the |"
            )
        joined = f"{heading} {said}" if heading and said else said
        prompts.append(TimedPrompt(joined, span[0], mark.cut, span[1]))
    return prompts


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
    pairs = [m for m in found if m.box and m.other is None and re.fullmatch(r"\d+:\d{2}", m.one)]
    ranges = [m for m in found if m.box and m.other is not None and not m.is_clock]
    certain = [m for m in found if m.is_clock and m not in pairs]
    as_clocks = [_span(text, mark, how, ()) for mark in found]
    if not pairs or certain:
        return _checked(text, found, as_clocks)
    as_spans = [_span(text, mark, how, pairs) for mark in found]
    clocks = not ranges and _ascends(as_clocks) and as_clocks[0][0] == 0
    if _ascends(as_spans) and not clocks:
        if not ranges and _ascends(as_clocks) and _overlaps(as_spans):
            raise ValueError(
                "times in brackets must be ranges or clocks, and could be both, got "
                f"{line_at(text, found[0].begin)}; write [0-30s] or [0:00-0:30]"
            )
        return as_spans
    return _checked(text, found, as_clocks if clocks else as_spans)


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


def _span(text: str, mark: Mark, how: Reading, pairs: Sequence[Mark]) -> Span:
    """Return the seconds of one mark.

    Args:
        pairs: marks such as [0:10] that are ranges.
    """
    one, other = mark.one.split(":") if mark in pairs else (mark.one, mark.other)
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
