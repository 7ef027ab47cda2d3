"""A prompt and its time, and what numbers count."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from reprlib import Repr

# a novel has as many letters, a day of video as many chunks of 0.75 s: nobody types more, and what
# has more is another file, which would be encoded for hours before anything could be said of it
LONGEST, MOST = 1_000_000, 115_200
NUMBER = r"\d+(?:\.\d+)?"
# 2,5 s; without a unit a comma is no decimal point
EXACT = r"\d+(?:[.,]\d+)?"
SECOND = r"(?:seconds?|secs?|s|\u79d2\u949f?|\ucd08)"
UNITS = {
    SECOND: 1.0,
    r"(?:minutes?|mins?|m|\u5206\u949f?|\ubd84)": 60.0,
    r"(?:milliseconds?|msecs?|ms)": 0.001,
}
PICTURE = r"(?:frames?|f|\u5e27|\u30d5\u30ec\u30fc\u30e0)"
UNIT = rf"(?:{'|'.join([*UNITS, PICTURE])})(?![A-Za-z])"
CLOCK = r"\d+:\d{2}(?::\d{2}){0,2}(?:[.,]\d+)?(?!:?\d)"
# 12, 12s, 1m30s, 1:30
MOMENT = rf"(?:{CLOCK}|{EXACT}\ ?{UNIT}(?:\ ?{EXACT}\ ?{UNIT})?|{NUMBER})"
PART = re.compile(rf"({EXACT})\ ?({UNIT})?\ ?", re.IGNORECASE)


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
        end: when it was said to end, in seconds; it ends when the next begins.
    """

    text: str
    start: float | None = None
    cut: bool = False
    end: float | None = None


@dataclass(frozen=True)
class Reading:
    """How numbers are read: pictures per second, and what a number without an s means."""

    fps: float
    unit: Unit

    def seconds(self, value: str, counts_pictures: bool = False) -> float:
        """Return the seconds of ``12``, ``12s``, ``1m30s``, ``80 frames``, ``1:30``, ``1:02:03``.

        Raises:
            ValueError: if it is none of these.
        """
        value = value.strip().lower()
        if not re.fullmatch(MOMENT, value) or value.count(":") > 2:
            raise ValueError(f"a time must be like 12, 12s, 1:30 or 1:02:03, got {brief(value)}")
        if ":" in value:
            *hours, minutes, seconds = value.replace(",", ".").split(":")
            return 3600 * float(hours[0] if hours else 0) + 60 * float(minutes) + float(seconds)
        parts = [PART.fullmatch(found[0]) for found in PART.finditer(value)]
        return sum(self._counted(part[1], part[2], counts_pictures) for part in parts)

    def _counted(self, number: str, unit: str | None, counts_pictures: bool) -> float:
        if re.search(r",\d{3}$", number):
            raise ValueError(f"a time must have no comma for thousands, got {brief(number)}")
        count = float(number.replace(",", "."))
        for names, factor in UNITS.items():
            if unit and re.fullmatch(names, unit):
                return factor * count
        auto = self.unit is Unit.AUTO and counts_pictures
        return count / self.fps if unit or auto or self.unit is Unit.PICTURES else count


def unit_of(value: str) -> str:
    """Return the unit that a time is written with, or nothing; a clock needs none."""
    found = re.search(rf"{UNIT}\Z", value.strip(), re.IGNORECASE)
    return found[0] if found else ""


def headed(heading: str, texts: Sequence[str]) -> list[str]:
    """Put a heading in front of every text that is one.

    Raises:
        ValueError: if that comes to more than a schedule may have.
    """
    if len(heading) * len(texts) > LONGEST:
        raise ValueError(
            f"words in front of every prompt must come to at most {LONGEST} characters in all, got "
            f"{len(heading)} in front of {len(texts)} prompts; shorten them"
        )
    return [f"{heading} {text}" if heading and text else text for text in texts]


def brief(value: object) -> str:
    """Return a value for a sentence: the first 40 characters of a text, few parts of a list."""
    if isinstance(value, str):
        return repr(value if len(value) <= 40 else value[:40] + "...")
    short = Repr()
    short.maxstring = short.maxother = short.maxlong = 40
    short.maxlevel = short.maxlist = short.maxdict = short.maxtuple = 2
    return short.repr(value)
