"""Which head of which layer is of which type."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from .geometry import ModelGeometry


@dataclass(frozen=True)
class HeadMap:
    """A type for every head of a model.

    Args:
        scheme: whose types they are; the names of different papers never mix.
        types: ``[L][H]`` type names, such as "hf.local".
        source: where it comes from, in words.
    """

    scheme: str
    types: tuple[tuple[str, ...], ...]
    source: str = ""

    def __post_init__(self) -> None:
        widths = {len(layer) for layer in self.types}
        if len(widths) != 1 or 0 in widths:
            raise ValueError(
                f"a head map must have the same number of heads in every layer, got {sorted(widths)}"
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
