"""A model whose tokens are on several ranks: each computes its own, and all the result."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from ..video import NoiseLevel
from .backbone import Attend


class Spread(Protocol):
    """How the tokens of a call are spread over ranks, and brought together."""

    def own(self, x: Tensor, frames: int) -> Tensor:
        """Return this rank's tokens of ``[B, T, any]``, a part of every frame."""

    def whole(self, x: Tensor, frames: int) -> Tensor:
        """Return the tokens of all ranks, given each rank's own."""

    def around(self, attend: Attend, frames: int) -> Attend:
        """Return attention over a rank's own tokens, given that over all tokens of its heads."""


class SpreadBackbone(Protocol):
    """A backbone that can be spread over ranks; ours can."""

    def predict_clean(
        self,
        noisy: Tensor,
        level: NoiseLevel | Sequence[NoiseLevel],
        text: object,
        attend: Attend,
        spread: Spread | None = None,
    ) -> Tensor: ...


@dataclass(frozen=True)
class Spreading:
    """A backbone that computes only a rank's tokens. Implements ``Backbone``.

    All ranks make the same calls, and each of them is given the whole result.

    Args:
        backbone: computes.
        spread: says which tokens.
    """

    backbone: SpreadBackbone
    spread: Spread

    def predict_clean(
        self,
        noisy: Tensor,
        level: NoiseLevel | Sequence[NoiseLevel],
        text: object,
        attend: Attend,
    ) -> Tensor:
        return self.backbone.predict_clean(noisy, level, text, attend, self.spread)
