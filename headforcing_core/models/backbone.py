"""What the rollout needs from a video model. A host implements it; core never imports one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from torch import Tensor

from ..video import NoiseLevel


class Attend(Protocol):
    """Self-attention of one layer, supplied to the model: ``[B, T, H, D]`` in and out.

    q, k and v are the projections after their norm and before any rotation; tokens run (frame,
    row, column). Called once per layer and model call.
    """

    def __call__(self, layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor: ...


class Backbone(Protocol):
    """A causal video denoiser whose self-attention is supplied by the caller."""

    def predict_clean(
        self,
        noisy: Tensor,
        level: NoiseLevel | Sequence[NoiseLevel],
        text: object,
        attend: Attend,
    ) -> Tensor:
        """Estimate the clean latent of one chunk, or of several that are denoised together.

        Args:
            noisy: ``[B, C, F, Y, X]``.
            level: how noisy it is, or each of its frames.
            text: the backbone's own conditioning, passed through untouched.
            attend: reads the past and the chunk itself.

        Returns:
            ``[B, C, F, Y, X]``.
        """
        ...
