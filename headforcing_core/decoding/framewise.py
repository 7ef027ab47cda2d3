"""Autoencoders that decode every latent frame by itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class FramewiseDecoder:
    """Decode with a function that knows no past, such as the demo's.

    Args:
        frames: latents ``[1, C, n, Y, X]`` to pictures ``[1, stride n, 3, H, W]``, 0 to 1.
        stride: pictures of a latent frame; of the first the last one counts.
        reach: one frame, because the first of a decoding is one picture.
    """

    frames: Callable[[Tensor], Tensor]
    stride: int
    reach: int = 1

    def begin(self) -> _Framewise:
        return _Framewise(self)


class _Framewise:
    def __init__(self, of: FramewiseDecoder):
        self.of, self.skipped = of, of.stride - 1

    @torch.no_grad()
    def decode(self, latent: Tensor) -> Tensor:
        # one by one: then the pictures do not depend on how a video is cut into chunks
        pictures = torch.cat([self.of.frames(frame)[0] for frame in latent.split(1, 2)])
        skipped, self.skipped = self.skipped, 0
        return pictures[skipped:]
