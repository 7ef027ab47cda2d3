"""Autoencoders whose inside is not known: decoded with some frames of the past in front."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class OverlappedDecoder:
    """Decode each stretch together with frames before it, whose pictures are dropped.

    This is not the same as decoding a video as a whole: how much it differs is measured on its
    second stretch, the first for which there is a difference.

    Args:
        whole: latents ``[1, C, n, Y, X]`` to pictures ``[m, 3, H, W]``, 0 to 1, of a whole video.
        say: is told the mean and the largest difference, 0 to 1.
        reach: latent frames in front.
    """

    whole: Callable[[Tensor], Tensor]
    say: Callable[[float, float], None]
    reach: int = 8

    def begin(self) -> _Overlapped:
        return _Overlapped(self)


class _Overlapped:
    """
    Args:
        past: the frames in front of the next ones.
        all: every frame there was, until the difference is measured.
    """

    def __init__(self, of: OverlappedDecoder):
        self.of = of
        self.past: Tensor | None = None
        self.all: Tensor | None = None

    @torch.no_grad()
    def decode(self, latent: Tensor) -> Tensor:
        if self.past is None:
            self.past = self.all = latent
            return self.of.whole(latent)
        pictures = self._last(torch.cat([self.past, latent], 2), latent.shape[2])
        if self.all is not None:
            self.all = torch.cat([self.all, latent], 2)
            # the first time that less than everything was in front
            if self.past.shape[2] + latent.shape[2] < self.all.shape[2]:
                off = (self._last(self.all, latent.shape[2]) - pictures).abs()
                self.of.say(float(off.mean()), float(off.max()))
                self.all = None
        self.past = torch.cat([self.past, latent], 2)[:, :, -self.of.reach :]
        return pictures

    def _last(self, latent: Tensor, frames: int) -> Tensor:
        """Decode frames and return the pictures of the last of them."""
        pictures = self.of.whole(latent)
        stride = (len(pictures) - 1) // (latent.shape[2] - 1)
        return pictures[len(pictures) - stride * frames :]
