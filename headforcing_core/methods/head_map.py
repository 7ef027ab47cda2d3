"""Which head of which layer is of which type."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from random import Random

from ..video import ModelGeometry

# of layers, and of heads in each: far beyond any model
MOST_LAYERS = MOST_HEADS = 1024
LONGEST_NAME = 100


@dataclass(frozen=True)
class Evidence:
    """What a head map was made from. Plain values, so that it survives a file.

    Args:
        fingerprint: of the model that was measured.
        parameters: how it was measured and typed.
        statistics: what the rule looked at, by name: ``[L][H]``, or per past frame ``[L][H][F]``.
        votes: ``[L][H]`` share of samples that say a head's type.
        doubted: heads (layer, head) with too few votes.
    """

    fingerprint: str
    parameters: Mapping[str, object] = field(default_factory=dict)
    statistics: Mapping[str, list] = field(default_factory=dict)
    votes: tuple[tuple[float, ...], ...] = ()
    doubted: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True)
class HeadMap:
    """A type for every head of a model.

    Args:
        scheme: whose types they are; the names of different papers never mix.
        types: ``[L][H]`` type names, such as "hf.local".
        source: where it comes from, in words.
        evidence: what was measured, if this was made by measuring.
        edits: what was changed since, in words, oldest first.
    """

    scheme: str
    types: tuple[tuple[str, ...], ...]
    source: str = ""
    evidence: Evidence | None = None
    edits: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        widths = {len(layer) for layer in self.types}
        if len(widths) != 1 or 0 in widths:
            raise ValueError(
                "a head map must have as many heads in every layer, got "
                f"{sorted(widths)[:3] or 'no layer'}"
            )
        if len(self.types) > MOST_LAYERS or max(widths) > MOST_HEADS:
            raise ValueError(
                f"a head map must have at most {MOST_LAYERS} layers of {MOST_HEADS} heads, got "
                f"{len(self.types)} of {max(widths)}"
            )
        for name in {self.scheme, *(kind for layer in self.types for kind in layer)}:
            if not (0 < len(name) <= LONGEST_NAME and name.isprintable()):
                raise ValueError(
                    f"schemes and types must be names of 1 to {LONGEST_NAME} letters, got "
                    f"{name[:LONGEST_NAME]!r}"
                )

    @property
    def counts(self) -> dict[str, int]:
        """How many heads each type has."""
        return dict(Counter(kind for layer in self.types for kind in layer))

    def check(self, geometry: ModelGeometry) -> None:
        """Refuse a model of another size.

        Raises:
            ValueError: if layers or heads differ.
        """
        size = (len(self.types), len(self.types[0]))
        if size != (geometry.layers, geometry.heads):
            raise ValueError(
                f"a head map must fit the model, {geometry.layers} layers of {geometry.heads} "
                f"heads, got one of {size[0]} layers of {size[1]} heads; profile this model"
            )

    def with_type(self, layer: int, head: int, kind: str) -> HeadMap:
        """Return the map with one head's type changed by hand; where it comes from stays told.

        Raises:
            ValueError: if there is no such head.
        """
        return self.with_types([(layer, head, kind)])

    def with_types(self, changes: Iterable[tuple[int, int, str]]) -> HeadMap:
        """Return the map with types of heads, (layer, head, type), changed by hand in turn.

        Raises:
            ValueError: if there is no such head.
        """
        rows, notes = [list(row) for row in self.types], []
        for layer, head, kind in changes:
            if not (0 <= layer < len(rows) and 0 <= head < len(rows[0])):
                raise ValueError(
                    f"a head must be of layer 0 to {len(rows) - 1} and number 0 to "
                    f"{len(rows[0]) - 1}, got layer {layer}, head {head}"
                )
            before, rows[layer][head] = rows[layer][head], kind
            if before != kind:
                notes.append(f"layer {layer}, head {head}: {before} became {kind}")
        if not notes:
            return self
        return replace(self, types=tuple(map(tuple, rows)), edits=(*self.edits, *notes))

    def shuffled(self, seed: int) -> HeadMap:
        """Return a map with as many heads of each type, dealt out at random."""
        flat = [type_ for layer in self.types for type_ in layer]
        Random(seed).shuffle(flat)
        return self._like(flat, f"dealt out at random ({seed})")

    def swapped(self, one: str, other: str, seed: int) -> HeadMap:
        """Return a map that is as wrong about two types as their numbers let it be.

        All heads of the rarer type become the other one, and as many of that one, drawn at random,
        become the rarer: each type keeps its number, and so the budget stays.
        """
        flat = [type_ for layer in self.types for type_ in layer]
        where = {type_: [i for i, t in enumerate(flat) if t == type_] for type_ in (one, other)}
        rare, common = sorted(where, key=lambda type_: len(where[type_]))
        for index in Random(seed).sample(where[common], len(where[rare])):
            flat[index] = rare
        for index in where[rare]:
            flat[index] = common
        return self._like(flat, f"{one} and {other} exchanged ({seed})")

    def _like(self, flat: list[str], how: str) -> HeadMap:
        width = len(self.types[0])
        rows = (tuple(flat[at : at + width]) for at in range(0, len(flat), width))
        source = f"{self.source}, {how}" if self.source else how
        return HeadMap(self.scheme, tuple(rows), source)
