"""Keys or values as a cache keeps them: in the model's dtype, or as codes and their scales."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from ...kernels import SCALES, blocks_of, decoded, encoded, rotate
from ..methods import KVDtype
from ..video import Rotation

# what each is kept as; None: as the model has it
CODES = {KVDtype.MODEL: None, KVDtype.INT8: torch.int8, KVDtype.FP8: torch.float8_e4m3fn}


def row_bytes(kept: KVDtype, channels: int, itemsize: int) -> int:
    """Return the bytes of a row of one head.

    Args:
        itemsize: of a number of the model.
    """
    if CODES[kept] is None:
        return channels * itemsize
    return channels + blocks_of(channels) * SCALES.itemsize


class Rows(NamedTuple):
    """Rows of keys or values.

    codes: ``[..., D]``; the numbers themselves where there are no scales. Of keys they may be the
        first channels alone, which are for time.
    scales: ``[..., D / 32]``, see ``kernels.eight_bits``; None where they are no codes.
    """

    codes: Tensor
    scales: Tensor | None = None

    @classmethod
    def zeros(
        cls,
        kept: KVDtype,
        shape: Sequence[int],
        dtype: torch.dtype,
        device: torch.device | str,
    ) -> Rows:
        """Allocate rows.

        Args:
            shape: ``[..., D]``.
            dtype: of the model.
        """
        codes = CODES[kept]
        if codes is None:
            return cls(torch.zeros(shape, dtype=dtype, device=device))
        own, scales = torch.zeros(shape, dtype=codes, device=device), blocks_of(shape[-1])
        return cls(own, torch.zeros((*shape[:-1], scales), dtype=SCALES, device=device))

    def like(self, x: Tensor, *, turns: bool) -> Rows:
        """Return numbers ``[..., D]`` as they are kept here.

        Args:
            turns: they are keys.
        """
        if self.scales is None:
            return Rows(x.to(self.codes.dtype))
        return Rows(*encoded(x, self.codes.dtype, turns=turns))

    def raw(self, x: Tensor, channels: int) -> Tensor:
        """Return the first channels of keys ``[..., D]`` as codes, or as they are."""
        return self.like(x, turns=True).codes[..., :channels]

    @property
    def tensors(self) -> list[Tensor]:
        return [self.codes, *([] if self.scales is None else [self.scales])]

    @property
    def device(self) -> torch.device:
        return self.codes.device

    def numbers(self) -> Tensor:
        """Return what they stand for, ``[..., D]``: codes in float32, others as they are."""
        return self.codes if self.scales is None else decoded(self.codes, self.scales)

    def turned(self, rotation: Rotation, channels: int) -> Rows:
        """Return keys whose first channels are turned; of codes the scales stay.

        Args:
            rotation: broadcasts against ``[..., channels / 2]``.
        """
        first, rest = self.codes.split([channels, self.codes.shape[-1] - channels], -1)
        return Rows(torch.cat([rotate(first, rotation), rest], -1), self.scales)

    def at(self, *index: object) -> Rows:
        """Return a part of them, a view where an index gives one; never of channels."""
        return Rows(*(x[index] for x in self.tensors))

    def select(self, dim: int, index: Tensor) -> Rows:
        return Rows(*(x.index_select(dim, index) for x in self.tensors))

    def gathered(self, index: Tensor) -> Rows:
        """Return rows ``[B, G, n, D]`` of these, ``[B, G, rows, D]``, by number ``[B, n]``."""
        heads = self.codes.shape[1]
        rows = index[:, None, :, None]
        return Rows(*(_gathered(x, rows.expand(-1, heads, -1, x.shape[-1])) for x in self.tensors))

    def flatten(self, first: int, last: int) -> Rows:
        return Rows(*(x.flatten(first, last) for x in self.tensors))

    def unflatten(self, dim: int, sizes: Sequence[int]) -> Rows:
        return Rows(*(x.unflatten(dim, sizes) for x in self.tensors))

    def split(self, sizes: Sequence[int], dim: int) -> list[Rows]:
        parts = zip(*(x.split(list(sizes), dim) for x in self.tensors), strict=True)
        return [Rows(*part) for part in parts]

    def clone(self) -> Rows:
        return Rows(*(x.clone() for x in self.tensors))

    def copy_(self, other: Rows) -> None:
        """Overwrite them with others that are kept alike."""
        for mine, theirs in zip(self.tensors, other.tensors, strict=True):
            mine.copy_(theirs)


def joined(parts: Sequence[Rows], dim: int) -> Rows:
    """Return rows behind each other."""
    return Rows(*(torch.cat(own, dim) for own in zip(*(p.tensors for p in parts), strict=True)))


def _gathered(x: Tensor, index: Tensor) -> Tensor:
    if x.dtype != torch.float8_e4m3fn:
        return x.gather(2, index)
    return x.view(torch.uint8).gather(2, index).view(x.dtype)  # torch has it for no floats so short
