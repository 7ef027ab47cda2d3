"""What weights take where they lie: told before any of them is read."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from math import prod

import torch

from .published import Published, weight_shapes
from .quantised import FP8
from .stored_weights import StoredWeight
from .wan_config import WanConfig
from .weight_dtype import WeightDtype, narrow_names, of_block

# of a scale, which is in float32
FLOAT = torch.float32.itemsize


@dataclass(frozen=True)
class WeightRoom:
    """Bytes of all weights of a file, or of a size.

    Args:
        bytes: as they lie, scales included.
        widened: of the largest matrix that is made wide when it is used; 0: none is.
    """

    bytes: int
    widened: int = 0

    @classmethod
    def of_size(
        cls,
        config: WanConfig,
        dtype: torch.dtype,
        kept: WeightDtype = WeightDtype.SAME,
        models: int = 1,
    ) -> WeightRoom:
        """Return what models of a size take, where there is no file.

        Args:
            models: how many of them.

        Raises:
            ValueError: if weights are to be kept as a file stores them.
        """
        if kept is WeightDtype.STORED:
            raise ValueError(
                "weights that are kept as they are stored must come with a file, got a size "
                f"alone; weight dtype {WeightDtype.FP8.value} tells what a file in fp8 takes"
            )
        shapes, narrow = weight_shapes(config), {}
        if kept is WeightDtype.FP8:
            narrow = {name: shape[0] for name, shape in shapes.items() if of_block(name, shape)}
        one = _room(shapes, narrow, dtype)
        return cls(models * one.bytes, one.widened)

    @classmethod
    def in_file(
        cls,
        published: Published,
        dtype: torch.dtype,
        kept: WeightDtype = WeightDtype.SAME,
        with_lora: bool = False,
    ) -> WeightRoom:
        """Return what the models of a file take.

        Args:
            with_lora: whether an adapter is merged, which may give every matrix in fp8 a scale for
                each of its rows.

        Raises:
            ValueError: see ``narrow_names``.
        """
        names = narrow_names(published, kept)
        rooms = [_room_in(published, names.first, dtype, with_lora)]
        if published.second is not None:
            rooms.append(_room_in(published.second, names.second, dtype, False))
        return cls(sum(room.bytes for room in rooms), max(room.widened for room in rooms))


def _room_in(
    published: Published, narrow: Collection[str], dtype: torch.dtype, with_lora: bool
) -> WeightRoom:
    scales = {w.name: _scales(w, published) for w in published.weights if w.name in narrow}
    shapes = weight_shapes(published.config)
    if with_lora:
        scales = {name: shapes[name][0] for name in scales}
    return _room(shapes, scales, dtype)


def _scales(weight: StoredWeight, published: Published) -> int:
    """Return how many scales a matrix in fp8 has: those of the file, or one a row if rounded."""
    shapes = published.source.shapes
    if weight.scale is not None:
        return prod(shapes[weight.scale])
    return 0 if published.source.dtypes.get(weight.at) in FP8 else shapes[weight.at][0]


def _room(
    shapes: Mapping[str, tuple[int, ...]], scales: Mapping[str, int], dtype: torch.dtype
) -> WeightRoom:
    """Return what one model takes.

    Args:
        scales: of the matrices that are in fp8.
    """
    numbers = {name: prod(shape) for name, shape in shapes.items()}
    wide = sum(n for name, n in numbers.items() if name not in scales)
    narrow = [numbers[name] for name in scales]
    small = sum(narrow) + FLOAT * sum(scales.values())
    return WeightRoom(wide * dtype.itemsize + small, max(narrow, default=0) * dtype.itemsize)
