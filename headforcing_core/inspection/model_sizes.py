"""How large a model is: what a forecast must know of it."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from ..models import Published, WanConfig, WeightDtype, WeightRoom


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
    """

    config: WanConfig
    dtype: torch.dtype
    weights_bytes: int
    resident_bytes: int | None = None
    models: int = 1
    widened_bytes: int = 0

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
        room = WeightRoom.of_size(config, dtype, kept, models)
        return cls(config, dtype, room.bytes, models=models, widened_bytes=room.widened)

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
        room = WeightRoom.in_file(published, dtype, kept, with_lora)
        models = 1 if published.second is None else 2
        wide = room.widened
        return cls(published.config, dtype, room.bytes, models=models, widened_bytes=wide)
