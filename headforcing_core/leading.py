"""What the first of several ranks alone has while a video is made, and tells the others."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from .contexts import Recoder
from .ranks import TOLD, Ranks
from .rollout import Steer
from .video import Chunk, PromptSchedule


@dataclass
class LedRecoder:
    """Pictures of the video, encoded by the first rank: the others have no autoencoder.

    Args:
        ranks: this one and the others.
        recoder: of the first rank.
    """

    ranks: Ranks
    recoder: Recoder | None
    _last: Tensor | None = field(default=None, init=False)

    def add(self, latent: Tensor) -> None:
        self._last = latent[:, :, :1]
        if self.ranks.leads:
            self.recoder.add(latent)

    def frame(self, back: int) -> Tensor:
        own = self.recoder.frame(back) if self.ranks.leads else torch.empty_like(self._last)
        return self.ranks.agreed(own.to(self._last), TOLD)


@dataclass(frozen=True)
class LedSteer:
    """Prompts that come on the way, asked for by the first rank alone.

    Args:
        ranks: this one and the others.
        steer: of the first rank.
    """

    ranks: Ranks
    steer: Steer | None

    def __call__(self, chunk: Chunk) -> PromptSchedule | None:
        return self.ranks.from_first(lambda: elsewhere(self.steer(chunk)))


def elsewhere(prompts: PromptSchedule | None) -> PromptSchedule | None:
    """Return prompts of tensors as another rank can take them, which has another device."""
    return prompts and replace(prompts, texts=tuple(text.cpu() for text in prompts.texts))
