"""The signs of a text as keyboards and programs write them, and where it may be divided."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from itertools import pairwise
from typing import NamedTuple

# one for one, so that places in a text stay
WIDE = str.maketrans(
    "\u3010\u3011\u3016\u3017\u3014\u3015\u2014\u2013\u2012\u2011\u2010\u2212\u301c\u201c\u201d"
    "\u201e\u2018\u2019\u3001\u3002\u00a0",
    '[][][]------~"""\'\',. ',
)
NOTHING = re.compile("[\ufeff\u200b\u200c\u200d\u2060]")
ENDS_LINE = re.compile("\r\n|[\r\u2028\u2029\v\f\x85]")
FENCE = re.compile(r"```\w*\n(.*?)\n?```", re.DOTALL)
OPENS, CLOSES = "([{\u300c\u300a", ")]}\u300d\u300b"
FACE = re.compile(r"[:;]-?[()]")
BRACKET, BAR = re.compile(f"[{re.escape(OPENS + CLOSES)}]"), re.compile(r"\|")
QUOTED = re.compile(r'"[^"\n]*"')


class Segment(NamedTuple):
    """A part of a text between line ends and dividing bars."""

    begin: int
    end: int


class _Ours(dict):
    """The signs met so far, and ours for each: a text has many signs, and few of a kind."""

    def __missing__(self, place: int) -> str:
        sign = chr(place)
        alike = unicodedata.normalize("NFKC", sign) if sign > "~" else sign
        self[place] = (alike if len(alike) == 1 else sign).translate(WIDE)
        return self[place]


def plain_signs(text: str) -> str:
    """Return a text with the signs of other keyboards as ours, character for character."""
    return text if text.isascii() else text.translate(_Ours())


def cleaned(text: str) -> str:
    """Return a text without what nobody sees: marks of encodings, fences of code around it."""
    text = ENDS_LINE.sub("\n", NOTHING.sub("", text)).strip()
    fenced = FENCE.fullmatch(text)
    return fenced[1].strip() if fenced else text


def bars(text: str) -> list[int]:
    """Return where a text is divided by |: outside of brackets and quotes that are closed."""
    signs = FACE.sub(lambda face: "_" * len(face[0]), plain_signs(text)).ljust(len(text), "_")
    if "|" not in signs:
        return []
    # what opens counts one up where it stands, what closes one down: inside is where it is not 0
    turns: Counter[int] = Counter()
    opened: list[tuple[str, int]] = []
    waiting = dict.fromkeys(OPENS, 0)
    for found in BRACKET.finditer(signs):
        sign, at = found[0], found.start()
        if sign in waiting:
            opened.append((sign, at))
            waiting[sign] += 1
            continue
        wanted = OPENS[CLOSES.index(sign)]
        one = ""
        while waiting[wanted] and one != wanted:
            one, begin = opened.pop()
            waiting[one] -= 1
            if one == wanted:
                turns[begin] += 1
                turns[at] -= 1
    for quoted in QUOTED.finditer(signs):
        turns[quoted.start()] += 1
        turns[quoted.end()] -= 1
    depth, divides = 0, []
    for at in sorted({*turns, *(found.start() for found in BAR.finditer(signs))}):
        depth += turns[at]
        if not depth and signs[at : at + 1] == "|":
            divides.append(at)
    return divides


def divided(text: str) -> list[str]:
    """Divide a text at its bars; what is empty is left out."""
    edges = [-1, *bars(text), len(text)]
    parts = [text[one + 1 : other].strip() for one, other in pairwise(edges)]
    return [part for part in parts if part]


def segments(text: str) -> list[Segment]:
    """Return the parts of a text that stand on lines of their own or between bars."""
    edges = sorted({*bars(text), *(found.start() for found in re.finditer("\n", text)), len(text)})
    return [Segment(one + 1, other) for one, other in pairwise([-1, *edges])]


def line_at(text: str, place: int) -> str:
    """Name the line in which a place is, for a sentence."""
    number = text.count("\n", 0, place) + 1
    line = text.split("\n")[number - 1].strip()
    shown = line if len(line) <= 40 else line[:40] + "..."
    return repr(shown) if "\n" not in text else f"{shown!r} in line {number}"
