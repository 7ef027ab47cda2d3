"""JSON that people bring: read rightly or refused, whatever it holds."""

from __future__ import annotations

import json
from math import isfinite
from pathlib import Path

# a video that went on from another holds the settings of that one, and so on
DEEPEST = 300
# a head map of 40 layers of 40 heads with a curve over 600 frames each has a million
MOST_VALUES = 4_000_000
LONGEST_NUMBER = 100
# of a value that is shown, and of a path
SHOWN, LONGEST_PATH = 60, 300


def json_of(text: str) -> object:
    """Read JSON: plain values whose numbers are finite and whose keys are there once.

    Raises:
        ValueError: if it is no such JSON; what of it is wrong, told of "its JSON".
    """
    # before anything is built: what is built takes many times the room of the text
    if sum(map(text.count, "[{,")) > MOST_VALUES:
        raise ValueError(f"its JSON must hold at most {MOST_VALUES} values, got more")
    try:
        value = json.loads(
            text,
            parse_int=_integer,
            parse_float=_number,
            parse_constant=_number,
            object_pairs_hook=_once,
        )
    except json.JSONDecodeError as error:
        raise ValueError(
            f"its JSON must be whole, got one that ends or breaks in line {error.lineno}"
        ) from None
    except RecursionError:
        raise _too_deep() from None
    _check_depth(value)
    return value


def shown(value: object) -> str:
    """Return a value as a message shows it: in one short line, whatever it is."""
    if isinstance(value, str):
        return repr(value) if len(value) <= SHOWN else f"{value[:SHOWN]!r}..."
    # a very long number cannot be written at all
    if isinstance(value, int) and abs(value) >= 10**SHOWN:
        return "a number of many digits"
    if value is None or isinstance(value, bool | int | float):
        return repr(value)
    if isinstance(value, list | tuple) and len(value) <= 8:
        if all(isinstance(each, int) for each in value):
            return f"[{', '.join(map(shown, value))}]"
    return f"a {type(value).__name__}"


def named(path: str | Path) -> str:
    """Return the name of a file as a message shows it: in one line."""
    name = Path(path).name
    return name if name.isprintable() else ascii(name)


def placed(path: str | Path) -> str:
    """Return a path as a message shows it: in one line, its end if it is long."""
    text = str(path)[-LONGEST_PATH:]
    return text if text.isprintable() else ascii(text)


def _integer(digits: str) -> int:
    _check_length(digits)
    return int(digits)


def _number(digits: str) -> float:
    _check_length(digits)
    number = float(digits)
    if not isfinite(number):
        raise ValueError(f"its numbers must be finite, got {digits}")
    return number


def _check_length(digits: str) -> None:
    if len(digits) > LONGEST_NUMBER:
        raise ValueError(
            f"its numbers must have at most {LONGEST_NUMBER} digits, got one of {len(digits)}"
        )


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        seen: set[str] = set()
        twice = next(name for name, _ in pairs if name in seen or seen.add(name))
        raise ValueError(f"its JSON must name a key once, got {shown(twice)} twice")
    return found


def _check_depth(value: object) -> None:
    level = [value]
    for _ in range(DEEPEST):
        level = [
            inner
            for outer in level
            if isinstance(outer, list | dict)
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, list | dict)
        ]
        if not level:
            return
    raise _too_deep()


def _too_deep() -> ValueError:
    return ValueError(f"its JSON must nest at most {DEEPEST} deep, got deeper")
