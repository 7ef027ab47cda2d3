"""A head map as plain values, for a page that draws it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..methods import Evidence, HeadMap
from .head_edits import edits_in, with_edits
from .head_map_pictures import colour_of, kinds_of, letter_of
from .stability import compare

DIGITS = 4


@dataclass(frozen=True)
class EditedMap:
    """A head map, and what became of it on one node.

    Args:
        incoming: as it reached the node.
        change: edits that widgets of their own say, made first.
        edits: edits as the node's text says them.
        whose: what the scheme is, in the sentence on a type of another.
    """

    incoming: HeadMap
    change: str = ""
    edits: str = ""
    whose: str = "the map's scheme"

    @property
    def base(self) -> HeadMap:
        """The map that the text of edits is said of."""
        return with_edits(self.incoming, self.change, self.whose)

    @property
    def outgoing(self) -> HeadMap:
        """The map that the node gives."""
        return with_edits(self.base, self.edits, self.whose)


def described(edited: EditedMap, beside: HeadMap | None = None) -> dict[str, object]:
    """Return a map as JSON values: types as numbers of ``kinds``, tables ``[L][H]``.

    ``types`` after all edits, ``base`` before the text's, ``before`` before any; ``edits`` is what
    the text says, ``pairs`` how many heads are of which type here and in the map beside it.

    Raises:
        ValueError: if edits cannot be made, or a map beside it is of another size.
    """
    shown, base = edited.outgoing, edited.base
    other = edited.incoming if beside is None else beside
    # those of the incoming one: of a type that no head is left with, a head was
    kinds = kinds_of(edited.incoming)
    numbers = {kind: number for number, kind in enumerate(kinds)}
    its = {kind: number for number, kind in enumerate(kinds_of(other))}
    counts = compare(shown, other).counts
    return {
        "scheme": shown.scheme,
        "source": shown.source,
        "kinds": _kinds(shown, kinds),
        "types": _numbered(shown, numbers),
        "base": _numbered(base, numbers),
        "edits": [[e.layer, e.head, numbers[e.kind]] for e in edits_in(edited.edits)],
        "notes": list(shown.edits),
        "measured": None if shown.evidence is None else _measured(shown.evidence),
        "beside": {
            "given": beside is not None,
            "alike": shown.scheme == other.scheme,
            "scheme": other.scheme,
            "source": other.source,
            "kinds": _kinds(other, list(its)),
            "types": _numbered(other, its),
            "pairs": [[mine, one, count] for (mine, one), count in sorted(counts.items())],
        },
    }


def _kinds(head_map: HeadMap, kinds: Sequence[str]) -> list[dict[str, object]]:
    counts = head_map.counts
    return [
        {"name": k, "letter": letter_of(k), "colour": colour_of(k), "count": counts.get(k, 0)}
        for k in kinds
    ]


def _numbered(head_map: HeadMap, numbers: Mapping[str, int]) -> list[list[int]]:
    return [[numbers[kind] for kind in row] for row in head_map.types]


def _measured(evidence: Evidence) -> dict[str, object]:
    told = {name: evidence.parameters.get(name) for name in ("videos", "samples")}
    return {
        "statistics": {name: _rounded(rows) for name, rows in evidence.statistics.items()},
        "votes": _rounded(evidence.votes),
        "doubted": [list(head) for head in evidence.doubted],
        **{name: value for name, value in told.items() if isinstance(value, int)},
    }


def _rounded(values: object) -> object:
    if isinstance(values, list | tuple):
        return [_rounded(value) for value in values]
    return round(values, DIGITS)
