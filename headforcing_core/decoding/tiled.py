"""Pictures decoded in tiles, for cards that hold no whole one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from .decoder import Decoder, Decoding


@dataclass(frozen=True)
class TiledDecoder:
    """Decode a video as several narrower ones, each with its own past, blended where they meet.

    What an autoencoder's middle sees of a whole picture it sees of a tile, so pictures differ a
    little from those decoded whole, most where tiles meet.

    Args:
        decoder: of one tile.
        tile: side of a tile in latent rows and columns.
        overlap: rows and columns that neighbours share.
    """

    decoder: Decoder
    tile: int
    overlap: int

    def __post_init__(self) -> None:
        if not 0 < 2 * self.overlap <= self.tile:
            raise ValueError(
                f"overlap must be at most half a tile, {self.tile // 2}, and more than 0, got "
                f"{self.overlap}"
            )

    @property
    def reach(self) -> int:
        return self.decoder.reach

    def begin(self) -> _Tiled:
        return _Tiled(self)


class _Tiled:
    def __init__(self, of: TiledDecoder):
        self.of = of
        self.tiles: dict[tuple[int, int], Decoding] = {}

    @torch.no_grad()
    def decode(self, latent: Tensor) -> Tensor:
        """See ``Decoding``; pictures are put together on the CPU."""
        rows, columns = latent.shape[3:]
        tile, pictures, weights = self.of.tile, None, None
        for top in self._starts(rows):
            for left in self._starts(columns):
                decoding = self.tiles.setdefault((top, left), self.of.decoder.begin())
                part = latent[..., top : top + tile, left : left + tile]
                seen = decoding.decode(part).cpu()
                scale = seen.shape[-1] // part.shape[-1]
                if pictures is None:
                    pictures = seen.new_zeros(*seen.shape[:2], rows * scale, columns * scale)
                    weights = seen.new_zeros(rows * scale, columns * scale)
                y, x = top * scale, left * scale
                weight = torch.outer(
                    self._ramp(top, part.shape[3], rows, scale),
                    self._ramp(left, part.shape[4], columns, scale),
                )
                place = (..., slice(y, y + seen.shape[2]), slice(x, x + seen.shape[3]))
                pictures[place] += seen * weight
                weights[place[1:]] += weight
        return pictures / weights

    def _starts(self, length: int) -> Iterator[int]:
        """Yield where tiles begin; the last one ends with the picture."""
        tile, at = self.of.tile, 0
        while at + tile < length:
            yield at
            at += tile - self.of.overlap
        yield max(0, length - tile)

    def _ramp(self, start: int, size: int, length: int, scale: int) -> Tensor:
        """Return weights that fade where a tile meets another, never to nothing."""
        weight, fade = torch.ones(size * scale), self.of.overlap * scale
        rising = (torch.arange(fade) + 1) / (fade + 1)
        if start > 0:
            weight[:fade] = rising
        if start + size < length:
            weight[-fade:] *= rising.flip(0)
        return weight
