"""A prompt and its time, and what numbers count."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

TIME = re.compile(r"\d+(?:\.\d+)?\s*(?:[a-z]+|秒)?|(?:\d+:)?\d+:\d+(?:\.\d+)?")


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
        """Return the seconds of ``12``, ``12s``, ``1:30`` or ``1:02:03``.

        Raises:
            ValueError: if it is none of these.
        """
        value = value.strip()
        if not TIME.fullmatch(value):
            raise ValueError(f"a time must be like 12, 12s, 1:30 or 1:02:03, got {value[:40]!r}")
        if ":" in value:
            *hours, minutes, seconds = value.split(":")
            return 3600 * float(hours[0] if hours else 0) + 60 * float(minutes) + float(seconds)
        number = value.rstrip(" abcdefghijklmnopqrstuvwxyz秒")
        if number != value:
            return float(number)
        unit = self.unit
        if unit is Unit.AUTO:
            unit = Unit.PICTURES if counts_pictures else Unit.SECONDS
        return float(value) / self.fps if unit is Unit.PICTURES else float(value)
