"""Numbers that users give: read, and held between bounds."""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError

from .files import shown

# a day of video at 24 pictures a second, four to a latent frame: nothing counts more frames
MOST_FRAMES = 518_400
# a week of one ordinary CPU: of the demo model it makes about ten frames a second
WEEK = 6_000_000


def check_within(name: str, value: float, least: float, most: float, unit: str = "") -> None:
    """Refuse a number outside its bounds; what is no number is outside of any.

    Args:
        unit: what is counted, if the name does not say.

    Raises:
        ValueError: if it is.
    """
    if not least <= value <= most:
        rule = f"{least} to {most} {unit}".strip()
        raise ValueError(f"{name} must be {rule}, got {shown(value)}")


def check_frames(name: str, frames: int, least: int = 0) -> None:
    """Refuse a count of latent frames that no video has.

    Raises:
        ValueError: if it is below ``least`` or above a day's.
    """
    check_within(name, frames, least, MOST_FRAMES, "frames")


def check_week(frames: int, remedy: str) -> None:
    """Refuse to begin what does not end within a week.

    Args:
        frames: latent frames of all videos that are to be made.

    Raises:
        ValueError: if they are too many.
    """
    if frames > WEEK:
        raise ValueError(
            f"all videos together must have at most {WEEK:,} latent frames, about a week's work, "
            f"got {frames:,}; {remedy}"
        )


def read_numbers(parser: ArgumentParser) -> None:
    """Let a parser say in a short sentence what is no number."""
    parser.register("type", int, _whole)
    parser.register("type", float, _number)


def _whole(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise ArgumentTypeError(f"must be a whole number, got {shown(text)}") from None


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ArgumentTypeError(f"must be a number, got {shown(text)}") from None
