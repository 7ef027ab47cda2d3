"""What in a text looks like a time, whether or not it is in a form that is read."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from .prompt_signs import CLOSES, OPENS, plain_signs, segments
from .timed_prompt import MOMENT, UNIT

# what people number
SHOTS = r"(?:shot|scene|part|clip|segment|prompt|\u955c\u5934|\u573a\u666f|\u5206\u955c)"
TOKEN = re.compile(
    rf"(?P<lead>\b{SHOTS}\ ?\#?\d+(?=\W|$)|(?:frames?|f|t)_?(?=\d+\b))"
    rf"|(?P<time>(?<!\d\.){MOMENT}(?![A-Za-z_]|\.?\d))"
    r"|(?P<word>[A-Za-z_]\w*|[^\W\d]+|\w+)"
    # an arrow begins where its dashes do: looked for from each of them, it would take for ever
    r"|(?P<to>(?<!-)-+>|=>|\u2192|\.\.+|\u2026|[-~/])"
    r"|(?P<sign>\S)",
    re.IGNORECASE,
)
BETWEEN = {"to", "until", "till", "\u00e0", "\u5230", "\u81f3", "\u304b\u3089"}
LEADING = {"from", "between", "at", "then", "and", "time", "timestamp", "second", "seconds", "t"}
LEADING |= {"de", "von", "ab", "desde", "in", "after", "segundo", "\u043e\u0442", "\u0441"}
LEADING |= {"frame", "frames", "f", "\u7b2c", "\u4ece", "\u5728", "\u524d", "\u540e"}
BOXES, BOXED = OPENS + "<", CLOSES + ">"
OPEN_END = {"end", "onward", "onwards", "+"}
HALF_DAY = re.compile(r"\ ?(?:[ap]\.?m\b|o'clock)", re.IGNORECASE)
# units in other tongues; they are not read
FOREIGN = re.compile(r"(?:sek|seg|\u0441\u0435\u043a)\w*|\u0441|percent|%", re.IGNORECASE)
COUNTED = re.compile(rf"\d\ ?{UNIT}", re.IGNORECASE)
WEAK = re.compile(r"(?:[2-9]|1[89]|20)\d?0s|\d+\ ?(?:[mf]|frames?|\u5e27)")
# what words grow behind units in tongues without spaces
GROWN = {"\u76ee", "\u6642\u70b9", "\uc5d0", "\ubd80\ud130", "\u304b\u3089", "\u65f6"}
LENGTHS = {"\u65f6\u957f", "duration", "length"}
# signs between a time and its text
BEHIND = {*":=|@;,-).", "=>", "->", "-->"}
# so far behind a token others are looked for
BEYOND = 4
LIST = re.compile(r"[^\w\n]{0,8}(?:\d{1,2}|[a-z])[.)]\ ", re.IGNORECASE)


class Mark(NamedTuple):
    """Something like a time: ``[0:10]``, ``0-5s:``, ``at 0:05``.

    Args:
        begin, end: its place, with brackets and the sign that follows.
        one, other: when it begins, and to when it lasts, as written, perhaps in a word.
        box: the bracket around it, or nothing.
        closed: the bracket is.
        cut: a # asks for a cut.
        begins: a line begins with it, perhaps behind signs and a few words.
        clean: there are no such signs and words.
        called: it is told by more than itself: by ``at`` in front of it, or a colon behind.
        ends: a line ends with it.
        sign: what stands between it and its text, such as a colon.
        says: there is more to it than a number in a sentence.
    """

    begin: int
    end: int
    one: str
    other: str | None = None
    box: str = ""
    closed: bool = True
    cut: bool = False
    begins: bool = False
    clean: bool = True
    called: bool = False
    ends: bool = False
    sign: str = ""
    says: bool = False

    @property
    def first(self) -> float:
        """What it counts from, whatever the unit."""
        return _counted(self.one)

    @property
    def last(self) -> float | None:
        return None if self.other is None else _counted(self.other)

    @property
    def is_clock(self) -> bool:
        return ":" in self.one

    @property
    def is_weak(self) -> bool:
        """Whether it may be no time at all: an age, a decade (40s, 1980s), metres (25m), a seat."""
        # (30s), (30s-40s), (30s, tired), (80s:1.2)
        alone = self.other is None or re.fullmatch(r"[^\W\d]\w*|\d+\.\d+", self.other)
        return bool(WEAK.fullmatch(self.one) and (alone or WEAK.fullmatch(self.other)))

    @property
    def has_unit(self) -> bool:
        """Whether it says what it counts; a clock does."""
        both = f"{self.one} {self.other or ''}"
        return self.is_clock or COUNTED.search(both) is not None


def _counted(written: str) -> float:
    """Return what a time counts, its unit aside; of a word, nan."""
    found = re.match(r"\d+(?::\d+)*(?:[.,]\d+)?", written)
    value = 0.0
    for part in found[0].replace(",", ".").split(":") if found else ["nan"]:
        value = 60 * value + float(part)
    return value


def marks(text: str) -> list[Mark]:
    """Return all that looks like a time, in order."""
    signs = plain_signs(text)
    in_table = "|" in signs
    lines = (_Line(signs, part.begin, part.end, in_table) for part in segments(text))
    return [mark for line in lines for mark in line.marks()]


class _Line:
    """The tokens of a line, or of a part of it between bars, in a text that has any or none."""

    def __init__(self, signs: str, begin: int, end: int, in_table: bool):
        self.signs, self.in_table = signs, in_table
        tokens = list(TOKEN.finditer(signs, begin, end))
        self.count = len(tokens)
        # beyond both ends there is the end of a line
        self.kinds = [*(token.lastgroup for token in tokens), *[""] * BEYOND]
        self.texts = [*(token[0].lower() for token in tokens), *["\n"] * BEYOND]
        self.places = [token.span() for token in tokens]
        closing = [at for at, text in enumerate(self.texts) if text in BOXED]
        self.last_close = closing[-1] if closing else -1

    def marks(self) -> Iterator[Mark]:
        head, at = self._head(), 0
        while at < self.count:
            boxed = self._boxed(at)
            mark, after = boxed or self._bare(at)
            if mark is None:
                at += 1
                continue
            mark, after = self._signed(mark._replace(begins=at == head), after)
            mark = mark._replace(
                clean=mark.clean and (at == 0 or not mark.begins),
                called=self._called(mark, at),
                ends=after == self.count,
            )
            yield mark._replace(says=self._says(mark, after))
            at = after

    def _space_after(self, at: int) -> bool:
        return self.signs[self.places[at][1] : self.places[at][1] + 1].strip() == ""

    def _half_day(self, at: int) -> bool:
        return HALF_DAY.match(self.signs, self.places[at][1]) is not None

    def _leads(self, at: int) -> bool:
        return self.kinds[at] == "lead" or self.texts[at] in LEADING

    def _head(self) -> int:
        """Return the token with which the line begins, behind signs of lists and a few words."""
        at, listed = 0, LIST.match(self.signs, self.places[0][0]) if self.places else None
        while listed and at < self.count and self.places[at][0] < listed.end():
            at += 1
        while at < self.count and self.kinds[at] != "time" and not self._boxed(at):
            if self.kinds[at] == "word" and not self._leads(at):
                break
            at += 1
        return at

    def _bare(self, at: int) -> tuple[Mark | None, int]:
        if self.kinds[at] != "time" or self._half_day(at):
            return None, at
        other, after = self._other(at)
        foreign = FOREIGN.fullmatch(self.texts[after]) is not None
        grown = self.texts[after] in GROWN
        after += foreign
        place = self.places[at][0], self.places[after - 1][1]
        clean = not (foreign or grown) and not self._divides(at)
        return Mark(*place, self.texts[at], other, clean=clean), after

    def _boxed(self, at: int) -> tuple[Mark, int] | None:
        """Return the time that is alone in brackets, and the token after them."""
        box, first = self.texts[at], at + 1
        if box not in BOXES:
            return None
        while self._leads(first) or self.texts[first] in (":", "=", ",", "-"):
            first += 1
        if self.kinds[first] != "time" or self._half_day(first):
            return None
        other, after = self._other(first, boxed=True)
        foreign = FOREIGN.fullmatch(self.texts[after]) is not None
        cut = self.texts[after + foreign] == "#"
        close = after + foreign + cut
        closed = self.texts[close] in BOXED
        told = other is not None or ":" in self.texts[first]
        if not closed and (box != "[" or not told or close <= self.last_close):
            return None
        if box == "<" and other is None and not re.search(UNIT, self.texts[first], re.IGNORECASE):
            return None
        close -= not closed
        plain = first == at + 1 and not foreign and closed and not self._divides(first)
        place = self.places[at][0], self.places[close][1]
        return Mark(*place, self.texts[first], other, box, closed, cut, clean=plain), close + 1

    def _divides(self, at: int) -> bool:
        return self.texts[at + 1] == "/"  # 40/81 is a part, not a range

    def _other(self, at: int, boxed: bool = False) -> tuple[str | None, int]:
        """Return to when a time lasts, if that is told, and the token after it."""
        link = self.texts[at + 1]
        if link in OPEN_END:
            return link, at + 2
        linked = self.kinds[at + 1] == "to" or link in BETWEEN
        both = link == "and" and self.texts[at - 1] == "between"
        if linked or both or (boxed and link in (":", ",", ";")):
            if self.kinds[at + 2] == "time" or self.texts[at + 2] in OPEN_END:
                return self.texts[at + 2], at + 3
            if boxed:
                return self.texts[at + 2], at + 2 + (self.kinds[at + 2] == "word")
        return None, at + 1

    def _signed(self, mark: Mark, after: int) -> tuple[Mark, int]:
        """Return a mark with the sign behind it, and the token after that."""
        # 5-10s#: a cut, and no #hashtag
        while self.texts[after] == "#" and self.places[after][0] == mark.end:
            if self.signs[mark.end + 1 : mark.end + 2].isalnum():
                break
            mark, after = mark._replace(end=mark.end + 1, cut=True), after + 1
        if self.signs[mark.end : mark.end + 1] == "\t":  # a table
            return mark._replace(end=mark.end + 1, sign="\t"), after
        sign = self.texts[after]
        if sign not in BEHIND:
            return mark, after
        apart = self.signs[mark.end : mark.end + 1] == " "
        close = not self._space_after(after)
        # 16:9, a face after a space, a hyphen, a decimal point
        part = sign in ":-" and (self.kinds[after + 1] == "time" or apart)
        if (close and (part or sign in "-.")) or (sign == "." and not mark.has_unit):
            return mark, after
        return mark._replace(end=self.places[after][1], sign=sign), after + 1

    def _called(self, mark: Mark, at: int) -> bool:
        front = self.texts[at - 1]
        if front == "the":  # the 80s: big hair
            return False
        space = self.signs[mark.end : mark.end + 1].strip() == ""
        last = mark.end >= self.places[-1][1]
        return (
            front in ("at", "@")
            or (mark.sign == ":" and space)
            or (front in (",", ":", "-", "@", ";", "=") and (last or mark.sign == "-"))
            or front in LENGTHS
            or "\t" in (self.signs[mark.begin - 1 : mark.begin], mark.sign)
        )

    def _says(self, mark: Mark, after: int) -> bool:
        if mark.box or mark.is_clock or (mark.called and mark.ends):
            return True
        if not mark.begins:
            return mark.has_unit and (mark.other is not None or mark.called)
        if mark.other is not None and not (mark.clean or mark.sign or mark.has_unit):
            return self._leads(0)  # 1/2 cup of milk
        # a cell of a table, a unit in any tongue
        alone = mark.begin == self.places[0][0] and mark.ends and self.in_table
        named = self.kinds[after] == "word" and self.texts[after + 1] == ":"
        named = named and mark.other is not None
        return bool(mark.sign) or mark.has_unit or not mark.clean or alone or named


def parts_of(found: Sequence[Mark], length: int) -> list[tuple[int, int]]:
    """Return the places of the texts that follow marks."""
    ends = [*(mark.begin for mark in found[1:]), length]
    return [(mark.end, end) for mark, end in zip(found, ends, strict=True)]
