"""Texts in which a time was missed: read as none, or left in the words of another."""

from __future__ import annotations

from collections.abc import Sequence

from .prompt_marks import Mark, marks
from .prompt_signs import segments


def suspicious(text: str) -> Mark | None:
    """Return what was meant as a time in a text that has been read as none, if anything was."""
    everything = marks(text)
    unclosed = [mark for mark in everything if not mark.closed]
    if unclosed:
        return unclosed[0]
    found = [mark for mark in everything if mark.says and not mark.is_weak]
    if any(mark.first == 0 and mark.says for mark in everything) or _at_all_ends(everything, text):
        found = [mark for mark in everything if mark.says]
    begun: Mark | None = None
    ends: dict[float, Mark] = {}
    for mark in found:
        if begun is not None and mark.first > 0:
            return begun
        if mark.first in ends:
            return ends[mark.first]
        begun = mark if mark.first == 0 and begun is None else begun
        if mark.last is not None and mark.last > mark.first:
            ends.setdefault(mark.last, mark)
    later = [m for m in everything if m.has_unit and m.first > 0 and not m.is_clock]
    if begun is not None and begun.begins and begun.has_unit and len(later) > 1:
        return begun
    for told in (
        [m for m in found if m.begins and m.box and (m.has_unit or m.other or m.box in "[<{")],
        [m for m in found if m.has_unit and (m.box or m.called) and not m.is_clock],
        [m for m in found if m.begins and m.has_unit and not m.clean],
    ):
        if len(told) > 1:
            return told[0]
    margin, line = len(text) - len(text.lstrip()), len(text.split("\n", 1)[0])
    return next((m for m in found if _alone(m, margin < m.begin, line < m.begin)), None)


def _at_all_ends(found: Sequence[Mark], text: str) -> bool:
    """Whether every line, or part between bars, ends with a time in brackets: how long it lasts."""
    parts = [part for part in segments(text) if text[part.begin : part.end].strip()]
    ends = [mark for mark in found if mark.box and mark.ends]
    return len(ends) == len(parts) > 1


def _alone(mark: Mark, behind_words: bool, behind_lines: bool) -> bool:
    """Whether a single mark that is not the beginning of a text divides it."""
    lasts = mark.last is not None and mark.last > mark.first
    if mark.box:
        return mark.clean and (lasts or mark.has_unit) and behind_words
    told = mark.is_clock or (mark.sign == ":" and mark.has_unit) or (lasts and mark.has_unit)
    return mark.begins and mark.clean and behind_lines and told


def left_over(text: str, start: float, end: float | None, beyond: float) -> Mark | None:
    """Return a time that was not read in the text of a timed prompt, if there is one.

    Args:
        start, end: of the prompt, as they were counted.
        beyond: when the next begins, or may have been meant to.
    """
    return next((mark for mark in marks(text) if _left(mark, start, end, beyond)), None)


def _left(mark: Mark, start: float, end: float | None, beyond: float) -> bool:
    lasts = mark.other is not None
    if not mark.closed:
        return True
    if mark.is_weak and not mark.begins:
        return False
    if mark.box and (mark.has_unit or (lasts and not mark.last <= mark.first)):
        return True
    if mark.begins and (mark.says or mark.first == end):
        numbered = mark.sign in (":", "=", "=>", "->", "@", "|")
        return numbered or mark.has_unit or mark.box in ("[", "<", "{") or mark.first == end
    if not mark.says:
        return False
    if mark.is_clock:
        return start < mark.first < beyond or lasts
    return mark.has_unit and (mark.sign == ":" or (lasts and mark.first == end))
