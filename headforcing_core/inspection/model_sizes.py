"""How large a model is: what a forecast must know of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import torch

from ..models import Published, WanConfig, WeightDtype, WeightRoom


class Narrower(NamedTuple):
    """The same model with weights in fewer bytes, and what they are kept in."""

    kept: WeightDtype
    sizes: ModelSizes


@dataclass(frozen=True)
class ModelSizes:
    """What a forecast must know of a model that is not loaded.

    Args:
        config: its sizes.
        dtype: it computes in.
        weights_bytes: as they will lie on the device.
        resident_bytes: of those, what must be there at once, where a host streams the rest; None:
            all of them.
        models: that hear every prompt.
        widened_bytes: of the largest matrix that lies in fewer bits and is made wide when it is
            used.
        narrower: the same with weights in fewer bytes, those that change results least first.
    """

    config: WanConfig
    dtype: torch.dtype
    weights_bytes: int
    resident_bytes: int | None = None
    models: int = 1
    widened_bytes: int = 0
    narrower: tuple[Narrower, ...] = ()

    @classmethod
    def plain(
        cls,
        config: WanConfig,
        dtype: torch.dtype,
        models: int = 1,
        kept: WeightDtype = WeightDtype.SAME,
    ) -> ModelSizes:
        """Return the sizes of a model that is known by its size alone.

        Args:
            models: two where clean calls have one of their own.
            kept: what its weights lie in.

        Raises:
            ValueError: see ``WeightRoom.of_size``.
        """

        def room(kept: WeightDtype) -> WeightRoom:
            return WeightRoom.of_size(config, dtype, kept, models)

        return cls._kept(config, dtype, models, room, kept)

    @classmethod
    def of_file(
        cls, published: Published, dtype: torch.dtype, kept: WeightDtype, with_lora: bool = False
    ) -> ModelSizes:
        """Return the sizes of what a file holds.

        Args:
            kept: what its weights will lie in.
            with_lora: see ``WeightRoom.in_file``.

        Raises:
            ValueError: see ``WeightRoom.in_file``.
        """

        def room(kept: WeightDtype) -> WeightRoom:
            return WeightRoom.in_file(published, dtype, kept, with_lora)

        models = 1 if published.second is None else 2
        return cls._kept(published.config, dtype, models, room, kept)

    @classmethod
    def _kept(
        cls,
        config: WanConfig,
        dtype: torch.dtype,
        models: int,
        room_of: Callable[[WeightDtype], WeightRoom],
        kept: WeightDtype,
    ) -> ModelSizes:
        def sizes(room: WeightRoom, narrower: tuple[Narrower, ...] = ()) -> ModelSizes:
            return cls(
                config,
                dtype,
                room.bytes,
                models=models,
                widened_bytes=room.widened,
                narrower=narrower,
            )

        own = room_of(kept)
        others = ((each, room) for each, room in _rooms(room_of) if room.bytes < own.bytes)
        return sizes(own, tuple(Narrower(each, sizes(room)) for each, room in others))


def _rooms(
    room_of: Callable[[WeightDtype], WeightRoom],
) -> Iterator[tuple[WeightDtype, WeightRoom]]:
    """Yield what a model's weights can be kept in, and what they take there."""
    for kept in WeightDtype:
        try:
            yield kept, room_of(kept)
        except ValueError:  # a file that has nothing in fp8
            continue
