"""Values out of JSON, each held to what it must be: files say many things."""

from __future__ import annotations

from collections.abc import Mapping

from .json_text import shown

LONGEST_TEXT = 10_000


def entry(data: Mapping[str, object], name: str) -> object:
    """Return what an object has under a name.

    Raises:
        ValueError: if it has nothing there; the other functions, if it is another kind of thing.
    """
    if name not in data:
        raise ValueError(f"it lacks {name!r}")
    return data[name]


def as_words(value: object, name: str, most: int = LONGEST_TEXT) -> str:
    """Return a text that can be printed and saved: JSON can also name halves of letters."""
    if not isinstance(value, str) or len(value) > most or not _is_whole(value):
        raise ValueError(f"{name} must be a text of at most {most} letters, got {shown(value)}")
    return value


def as_list(value: object, name: str, most: int) -> list[object]:
    """Return a list of at most so many things."""
    if not isinstance(value, list):
        raise ValueError(f"{name} must be a list, got {shown(value)}")
    if len(value) > most:
        raise ValueError(f"{name} must be at most {most}, got {len(value)}")
    return value


def as_object(value: object, name: str) -> dict[str, object]:
    if not isinstance(value, dict):
        raise ValueError(f"{name} must be a JSON object, got {shown(value)}")
    return value


def as_number(value: object, name: str, most: int, least: int = 0) -> int:
    """Return a whole number; 1.0 and true are none."""
    if type(value) is not int or not least <= value <= most:
        raise ValueError(
            f"{name} must be a whole number from {least} to {most}, got {shown(value)}"
        )
    return value


def _is_whole(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
