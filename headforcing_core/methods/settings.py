"""Settings of a method as users type them: ``anchor_recent=0``, ``episodes.count=3``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from enum import Enum
from typing import TypeVar

from ..files import shown

Settings = TypeVar("Settings")


def with_values(settings: Settings, assignments: list[str]) -> Settings:
    """Return settings with some values replaced.

    Args:
        assignments: ``name=value``; names of what is inside another have dots.

    Raises:
        ValueError: if there is no such name, or the value does not fit it.
    """
    for assignment in assignments:
        name, equals, text = assignment.partition("=")
        if not equals:
            raise ValueError(f"a setting must be name=value, got {shown(assignment)}")
        settings = _replaced(settings, name.strip(), name.strip().split("."), text.strip())
    return settings


def setting_names(settings: object, inside: str = "") -> Iterator[tuple[str, object]]:
    """Yield (name, value) of everything that can be set: its own, then what it shares."""
    own = list(type(settings).__annotations__)
    shared = [field.name for field in fields(settings) if field.name not in own]
    order = [*own, *shared].index
    for field in sorted(fields(settings), key=lambda field: order(field.name)):
        value = getattr(settings, field.name)
        if is_dataclass(value):
            yield from setting_names(value, f"{inside}{field.name}.")
        else:
            yield inside + field.name, value


def _replaced(settings: Settings, name: str, path: list[str], text: str) -> Settings:
    first, *rest = path
    known = {field.name for field in fields(settings)} if is_dataclass(settings) else set()
    if first not in known:
        raise ValueError(f"a setting must be one of {', '.join(sorted(known))}, got {shown(name)}")
    value = getattr(settings, first)
    if rest or is_dataclass(value):
        return replace(settings, **{first: _replaced(value, name, rest or [""], text)})
    return replace(settings, **{first: _parsed(value, name, text)})


def _parsed(value: object, name: str, text: str) -> object:
    try:
        match value:
            case Enum():
                return type(value)(text)
            case bool():
                return {"true": True, "false": False}[text.lower()]
            case None:
                return None if text.lower() == "none" else int(text)
            case tuple():
                return tuple(float(part) for part in text.split(","))
        return type(value)(text)
    except (ValueError, KeyError):
        choices = ""
        if isinstance(value, Enum):
            choices = f" one of {', '.join(str(choice.value) for choice in type(value))}"
        raise ValueError(
            f"{name} must be{choices or ' like ' + repr(value)}, got {shown(text)}"
        ) from None
