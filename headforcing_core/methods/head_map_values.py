"""What may stand in the JSON of a head map, value by value: files say many things."""

from __future__ import annotations

from collections.abc import Callable
from math import isfinite

from ..files import as_list, as_number, as_object, as_words, shown
from .head_map import MOST_HEADS, MOST_LAYERS

Types = tuple[tuple[str, ...], ...]


def types_of(value: object) -> Types:
    """Return a table of names."""
    rows = as_list(value, "types", MOST_LAYERS)
    return tuple(
        tuple(as_words(kind, "a type") for kind in as_list(row, "types of a layer", MOST_HEADS))
        for row in rows
    )


def heads_of(value: object, name: str, heads: int) -> set[int]:
    """Return numbers of heads, each of which is there once."""
    numbers = [
        as_number(head, f"heads of {name}", heads - 1) for head in as_list(value, name, heads)
    ]
    if len(set(numbers)) < len(numbers):
        raise ValueError(f"{name} must name each head once")
    return set(numbers)


def doubted_of(value: object, types: Types) -> tuple[tuple[int, int], ...]:
    """Return pairs (layer, head) of heads that there are."""
    found = []
    for pair in as_list(value, "doubted", len(types) * len(types[0])):
        if not isinstance(pair, list) or len(pair) != 2:
            raise ValueError(f"doubted must name heads as [layer, head], {_got(pair)}")
        layer = as_number(pair[0], "the layer of a doubted head", len(types) - 1)
        head = as_number(pair[1], "the number of a doubted head", len(types[0]) - 1)
        found.append((layer, head))
    return tuple(found)


def votes_of(value: object, types: Types) -> tuple[tuple[float, ...], ...]:
    """Return the share of every head; none if there are none."""
    if value == []:
        return ()

    def share(vote: object) -> float:
        vote = _real(vote, "votes")
        if not 0 <= vote <= 1:
            raise ValueError(f"votes must be shares from 0 to 1, {_got(vote)}")
        return float(vote)

    return tuple(map(tuple, _table(value, "votes", types, share)))


def statistics_of(value: object, types: Types) -> dict[str, list]:
    """Return tables by name: a number of every head, or as many of each."""
    return {
        name: _statistic(rows, name, types) for name, rows in as_object(value, "statistics").items()
    }


def _statistic(rows: object, name: str, types: Types) -> list[list[object]]:
    name = name if name.isidentifier() else shown(as_words(name, "the name of a statistic"))
    lengths: set[int | None] = set()

    def measured(entry: object) -> object:
        lengths.add(len(entry) if isinstance(entry, list) else None)
        if len(lengths) > 1:
            raise ValueError(f"{name} must have as many values for every head")
        if isinstance(entry, list):
            return [_real(each, name) for each in entry]
        return _real(entry, name)

    return _table(rows, name, types, measured)


def _table(
    rows: object, name: str, types: Types, value: Callable[[object], object]
) -> list[list[object]]:
    fits = isinstance(rows, list) and len(rows) == len(types)
    fits = fits and all(
        isinstance(row, list) and len(row) == len(kinds)
        for row, kinds in zip(rows, types, strict=True)
    )
    if not fits:
        raise ValueError(f"{name} must have a value for every head, as types has")
    return [list(map(value, row)) for row in rows]


def _real(value: object, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{name} must be numbers, {_got(value)}")
    # a whole number of a hundred digits is one, of four hundred no float has
    if not isfinite(value):
        raise ValueError(f"{name} must be finite, {_got(value)}")
    return value


def _got(value: object) -> str:
    return f"got {shown(value)}"
