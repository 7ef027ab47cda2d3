"""Brackets that make words count more or less, as ComfyUI reads them."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator

# of words in brackets without a number
MORE = 1.1
# brackets in brackets; nobody types more
DEEPEST = 50
# \( and \) are brackets that are meant as such; no text holds these
OPENING, CLOSING = "\0\2", "\0\1"
# in ComfyUI this is the name of a file
EMBEDDING = re.compile(r"(?:^|[\s(])(embedding:\S{1,40})")


def weighted_parts(text: str) -> list[tuple[str, float]]:
    """Divide a prompt where the weight of its words changes.

    ``(words)`` count 1.1 times, ``(words:1.3)`` 1.3 times, brackets in brackets both. A part that
    is empty is none.

    Raises:
        ValueError: if brackets lie too deep in each other, a weight is no finite number, or a word
            is the name of a file.
    """
    named = EMBEDDING.search(text)
    if named:
        raise ValueError(
            f"a prompt must be words, got {named[1]!r}, the name of a file that only ComfyUI reads"
        )
    marked = text.replace("\\)", CLOSING).replace("\\(", OPENING)
    return [
        (part.replace(CLOSING, ")").replace(OPENING, "("), weight)
        for part, weight in _parts(marked, 1.0, 0)
    ]


def _parts(text: str, weight: float, depth: int) -> Iterator[tuple[str, float]]:
    if depth > DEEPEST:
        raise ValueError(f"brackets of a prompt must lie at most {DEEPEST} deep in each other")
    for piece in _pieces(text):
        if len(piece) > 1 and piece[0] == "(" and piece[-1] == ")":
            inside, own = _weight_of(piece[1:-1], weight)
            yield from _parts(inside, own, depth + 1)
        else:
            yield piece, weight


def _pieces(text: str) -> Iterator[str]:
    """Yield what lies outside of all brackets, and what lies in the outer ones, with them."""
    begin = depth = 0
    for at, sign in enumerate(text):
        if sign == "(":
            if depth == 0 and at > begin:
                yield text[begin:at]
            begin = at if depth == 0 else begin
            depth += 1
        elif sign == ")":
            depth -= 1
            if depth == 0:
                yield text[begin : at + 1]
                begin = at + 1
    if begin < len(text):
        yield text[begin:]


def _weight_of(inside: str, outside: float) -> tuple[str, float]:
    """Return the words in brackets and their weight, the number behind the last colon if any."""
    words, colon, number = inside.rpartition(":")
    if not (colon and words):
        return inside, MORE * outside
    try:
        weight = float(number)
    except ValueError:
        return inside, MORE * outside
    if not math.isfinite(weight):
        raise ValueError(f"the weight of words must be a finite number, got {number[:40]!r}")
    return words, weight
