"""Two Wan models in place of one: a denoiser, and one that writes what is remembered."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from ..video import CLEAN, NoiseLevel, each_frame
from .backbone import Attend
from .spreading import Spread
from .wan import WanModel, WanText
from .wan_config import WanConfig
from .weight_names import memory_name


class TwoTexts(NamedTuple):
    """A prompt as each of two models hears it."""

    denoiser: WanText
    memory: WanText


class TwoExperts:
    """A backbone that makes every call on a clean latent with a model of its own.

    Such a call makes the keys and values of the past, which the denoiser reads: nothing but these
    passes from one to the other. An adapter names the weights of the denoiser, so it changes that
    one alone. Implements ``Backbone``; text is a ``TwoTexts``.

    Args:
        denoiser: drafts chunks.
        memory: commits them, given frames too.

    Raises:
        ValueError: if they are of different sizes.

    Source: SGF+ (Zihan-Su/Self_Gradient_Forcing_Plus), which calls it the memory expert.
    """

    def __init__(self, denoiser: WanModel, memory: WanModel):
        if denoiser.config != memory.config:
            raise ValueError(
                f"both models must be of one size, got {denoiser.config} and {memory.config}"
            )
        self.denoiser, self.memory = denoiser, memory

    @property
    def config(self) -> WanConfig:
        return self.denoiser.config

    @property
    def dtype(self) -> torch.dtype:
        return self.denoiser.dtype

    @property
    def device(self) -> torch.device:
        return self.denoiser.device

    def compile(self, backend: str = "inductor") -> None:
        """Have torch compile both, see ``WanModel.compile``."""
        for model in (self.denoiser, self.memory):
            model.compile(backend)

    def state_dict(self) -> dict[str, Tensor]:
        """Return the weights of both, under the names of a file that holds both."""
        second = {memory_name(name): x for name, x in self.memory.state_dict().items()}
        return {**self.denoiser.state_dict(), **second}

    def prepare_text(self, embedding: Tensor) -> TwoTexts:
        """Project a text embedding for both models, see ``WanModel.prepare_text``.

        Args:
            embedding: ``[B, S, text_dim]``.

        Raises:
            ValueError: if the width is not the models'.
        """
        return TwoTexts(*(x.prepare_text(embedding) for x in (self.denoiser, self.memory)))

    def predict_clean(
        self,
        noisy: Tensor,
        level: NoiseLevel | Sequence[NoiseLevel],
        text: TwoTexts,
        attend: Attend,
        spread: Spread | None = None,
    ) -> Tensor:
        # an image that is held clean beside frames that are denoised is in a draft
        if all(each == CLEAN for each in each_frame(level, noisy.shape[2])):
            return self.memory.predict_clean(noisy, level, text.memory, attend, spread)
        return self.denoiser.predict_clean(noisy, level, text.denoiser, attend, spread)
