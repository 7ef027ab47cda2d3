"""The sizes of a Wan 2.1 model."""

from __future__ import annotations

from dataclasses import dataclass

from ..files import shown
from ..video import LatentGrid, ModelGeometry

FLOW, CLEAN_LATENT = PREDICTIONS = ("flow", "clean")


@dataclass(frozen=True)
class WanConfig:
    """Sizes of a Wan 2.1 text-to-video model; names as in the field.

    predicts: what the last layer gives, "flow" (noise - clean, all published models) or "clean".
    """

    dim: int
    ffn_dim: int
    freq_dim: int
    text_dim: int
    in_dim: int
    out_dim: int
    heads: int
    layers: int
    patch: tuple[int, int, int]
    eps: float
    predicts: str = FLOW

    def __post_init__(self) -> None:
        if self.predicts not in PREDICTIONS:
            raise ValueError(f"predicts must be one of {PREDICTIONS}, got {self.predicts[:20]!r}")
        if self.heads < 1 or self.dim % self.heads:
            raise ValueError(f"heads must divide dim={self.dim}, got {shown(self.heads)}")
        if self.freq_dim % 2:
            raise ValueError(f"freq_dim must be even, got {self.freq_dim}")
        if self.patch[0] != 1:
            raise ValueError(f"patch must span one latent frame, got {self.patch}")

    @property
    def geometry(self) -> ModelGeometry:
        return ModelGeometry(self.layers, self.heads, self.dim // self.heads)

    def grid(self, rows: int, columns: int) -> LatentGrid:
        return LatentGrid(rows, columns, *self.patch[1:])
