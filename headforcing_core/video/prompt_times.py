"""Prompts with a time in front: in brackets, in parentheses, or bare at the beginning of a line."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from .timed_prompt import Reading, TimedPrompt, Unit

# the same signs as other keyboards write them; one for one, so that places in a text stay
WIDE = str.maketrans(
    "\u3010\u3011\uff3b\uff3d\uff08\uff09\uff1a\uff0c\uff5e\uff0d\u2014\u2013\u301c",
    "[][]():,~---~",
)
NUMBER = r"\d+(?:\.\d+)?"
CLOCK = r"\d+:\d{2}(?::\d{2})?(?:\.\d+)?"
S = r"\s*(?:seconds?|secs?|s|秒)"
MOMENT = rf"(?:{CLOCK}|{NUMBER}(?:{S})?)"
TO = r"\s*(?:-+>?|~|→|to|至|到)\s*"
SPAN = rf"(?P<one>{MOMENT}){TO}(?P<other>{MOMENT})"
# from:to, with or without units
COLON = rf"(?P<from>{NUMBER}(?:{S})?)\s*:\s*(?P<to>{NUMBER}(?:{S})?)"
TIMES = re.compile(rf"\s*(?:{SPAN}|(?P<alone>{CLOCK}|{NUMBER}(?:{S})?)|{COLON})\s*")
BRACKETS = re.compile(r"\[(?P<times>[^\[\]\n]*)\]")
PARENTHESES = re.compile(r"^[ \t]*\((?P<times>[^()\n]*)\)", re.MULTILINE)
BARE = re.compile(
    rf"^[ \t]*(?P<times>{MOMENT}{TO}{MOMENT}|{CLOCK}|{NUMBER}{S}|{NUMBER}(?=\s*:\s))"
    r"(?P<mark>\s*(?::(?=\s)|-(?=\s)|\.(?=\s))?)(?=\s)",
    re.MULTILINE,
)
LOOKS = re.compile(r"^\s*(?:[\[(]\s*\d[\d\s.:;,s/~-]*(?:[\])]|\d|$)|\[\s*\d+\s*[:-])")
# digits in brackets, and no word with them
ODD = re.compile(r"\s*\[(?![^\]]*[A-Za-z]{2})[^\]]*\d[^\]]*\]")
UNCLOSED = re.compile(rf"^\s*\[\s*{MOMENT}[^\]\n]*$")


class Marker(NamedTuple):
    """A time in a text: where it is, what it says, and whether a cut is asked for."""

    begin: int
    end: int
    times: str
    cut: bool


def plain_signs(text: str) -> str:
    """Return a text with the signs of other keyboards as ours, character for character."""
    return text.translate(WIDE)


def bracketed(text: str, how: Reading) -> list[TimedPrompt] | None:
    """Read ``[0:10] text``; None if no line begins with a time in brackets.

    Raises:
        ValueError: if a line begins with what looks like one and cannot be read.
    """
    signs = plain_signs(text)
    markers = [
        Marker(found.start(), found.end(), *_cut(found["times"]))
        for found in BRACKETS.finditer(signs)
        if _is_marker(found, signs)
    ]
    _check_lines(text, signs, markers)
    return _between(text, markers, how)


def parenthesised(text: str, how: Reading) -> list[TimedPrompt] | None:
    """Read ``(0-5s) text`` at the beginning of lines; None if there are none.

    Weights like (word:1.2) and single numbers are none: they have no unit and no end.
    """
    signs = plain_signs(text)
    markers = []
    for found in PARENTHESES.finditer(signs):
        times, cut = _cut(found["times"])
        match = TIMES.fullmatch(times)
        if match and (match["one"] or re.search(rf":|{S}", times)):
            markers.append(Marker(found.start(), found.end(), times, cut))
    if markers and signs[: markers[0].begin].strip() and len(markers) == 1:
        return None
    return _between(text, markers, how)


def bare(text: str, how: Reading) -> list[TimedPrompt] | None:
    """Read ``0-5s: text``, ``0:00 text`` and ``0s: text`` at the beginning of lines.

    A line of a plain prompt may begin with a number, too: one time alone that is not the beginning
    is none, unless a unit or an end says what it is.

    Raises:
        ValueError: if numbers before a colon do not say what they count.
    """
    signs = plain_signs(text)
    markers, certain = [], 0
    for found in BARE.finditer(signs):
        times, colon = found["times"], ":" in found["mark"]
        ranged = re.fullmatch(SPAN, times) is not None
        unit = re.search(S + r"$", times) is not None
        if (ranged or re.fullmatch(NUMBER, times)) and not (unit or colon or ":" in times):
            continue
        markers.append(Marker(found.start(), found.end(), times, False))
        certain += ranged or (unit and colon)
    if not markers:
        return None
    first = re.match(MOMENT, markers[0].times)[0]
    begins = how.seconds(first) == 0
    if len(markers) == 1 and not certain and not begins:
        return None
    if len(markers) == 1 and not certain and re.fullmatch(NUMBER, markers[0].times):
        return None
    if how.unit is Unit.AUTO and all(re.fullmatch(NUMBER, m.times) for m in markers):
        line = text[markers[0].begin :].splitlines()[0]
        raise ValueError(
            f"numbers before a colon must say what they count, got {line[:40]!r}; write 0s: for "
            "seconds or 0@ for pictures, or choose units"
        )
    return _between(text, markers, how)


def _cut(times: str) -> tuple[str, bool]:
    trimmed = times.rstrip()
    return trimmed.removesuffix("#"), trimmed.endswith("#")


def _is_marker(found: re.Match[str], signs: str) -> bool:
    """Say whether brackets hold a time; a bare number does so at the beginning of a line alone."""
    times, _ = _cut(found["times"])
    if not TIMES.fullmatch(times):
        return False
    line = signs[: found.start()].rpartition("\n")[2]
    begins = not line.strip(" \t|,") or line.rstrip().endswith("|")
    return begins or not re.fullmatch(rf"\s*{NUMBER}\s*", times) or _follows(line)


def _follows(line: str) -> bool:
    """Say whether a line has a time in brackets in front, after which others may stand in it."""
    begun = BRACKETS.match(line.lstrip())
    return bool(begun) and TIMES.fullmatch(_cut(begun["times"])[0]) is not None


def _check_lines(text: str, signs: str, markers: Sequence[Marker]) -> None:
    """Refuse lines that begin with what looks like a time and is none that is read."""
    at = 0
    for line, shown in zip(signs.split("\n"), text.split("\n"), strict=True):
        indent = len(line) - len(line.lstrip())
        begun = any(marker.begin == at + indent for marker in markers)
        if UNCLOSED.match(line):
            raise ValueError(
                f"a bracket with a time must be closed, got {shown.strip()[:40]!r}; "
                "write [0:10] text"
            )
        if markers and not begun and ODD.match(line):
            raise ValueError(
                "times in brackets must be like [0:10], [10] or [00:10-00:20], got "
                f"{shown.strip()[:40]!r}"
            )
        at += len(line) + 1


def _between(text: str, markers: Sequence[Marker], how: Reading) -> list[TimedPrompt] | None:
    """Return the texts between markers; what stands before the first goes in front of every one."""
    if not markers:
        return None
    heading = text[: markers[0].begin]
    if heading.strip() and not heading.rstrip(" \t").endswith("\n"):
        return None
    heading = " ".join(heading.split())
    moments = _moments([marker.times for marker in markers], how)
    ends = [*(marker.begin for marker in markers[1:]), len(text)]
    prompts = []
    for marker, (start, end), stop in zip(markers, moments, ends, strict=True):
        if end is not None and end <= start:
            raise ValueError(f"a prompt must end after it begins, got [{marker.times}]")
        said = text[marker.end : stop].strip(" \t\r\n|,").lstrip(": \t")
        joined = f"{heading} {said}" if heading and said else said
        prompts.append(TimedPrompt(joined, start, marker.cut, end))
    return prompts


def _moments(times: Sequence[str], how: Reading) -> list[tuple[float, float | None]]:
    """Return when each begins and is said to end.

    ``0:10`` alone is from 0 to 10, unless together that cannot be: [0:00] and [0:10] are clocks.
    """
    as_spans = [_moment(one, how, clocks=False) for one in times]
    ascending = all(one[0] < other[0] for one, other in pairwise(as_spans))
    if ascending and all(end is None or start < end for start, end in as_spans):
        return as_spans
    as_clocks = [_moment(one, how, clocks=True) for one in times]
    if all(one[0] < other[0] for one, other in pairwise(as_clocks)) and as_clocks[0][0] == 0:
        return as_clocks
    return as_spans


def _moment(times: str, how: Reading, clocks: bool) -> tuple[float, float | None]:
    found = TIMES.fullmatch(times)
    if found["one"]:
        return how.seconds(found["one"]), how.seconds(found["other"])
    pair = re.fullmatch(rf"\s*{COLON}\s*", times)
    if pair and not (clocks and re.fullmatch(rf"\s*{CLOCK}\s*", times)):
        return how.seconds(pair["from"]), how.seconds(pair["to"])
    return how.seconds(found["alone"] or times), None
