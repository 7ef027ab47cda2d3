"""The tiny autoencoders of previews (TAEHV and its kin): each block looks one frame back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import pixel_shuffle


@dataclass(frozen=True)
class MemoryBlockDecoder:
    """Decode with a module whose ``decoder`` is a row of layers, some of which take a past.

    Args:
        vae: has ``decoder``, ``process_in``, ``patch_size`` and ``frames_to_trim``, the pictures at
            the beginning that are none.
        finish: raw pictures to 0 to 1.
        reach: six blocks look one latent frame back, three half a frame.

    Source: https://github.com/madebyollin/taehv
    """

    vae: nn.Module
    finish: Callable[[Tensor], Tensor]
    reach: int = 8

    def begin(self) -> _MemoryBlocks:
        return _MemoryBlocks(self)


class _MemoryBlocks:
    def __init__(self, of: MemoryBlockDecoder):
        self.of, self.skipped = of, of.vae.frames_to_trim
        self.pasts: dict[int, Tensor] = {}

    @torch.no_grad()
    def decode(self, latent: Tensor) -> Tensor:
        pictures = torch.cat([self._frame(frame) for frame in latent.split(1, 2)])
        skipped, self.skipped = self.skipped, 0
        return pictures[skipped:]

    def _frame(self, frame: Tensor) -> Tensor:
        vae = self.of.vae
        x = vae.process_in(frame)[0].transpose(0, 1)
        for number, layer in enumerate(vae.decoder):
            x = self._remembering(number, layer, x) if takes_past(layer) else layer(x)
        if vae.patch_size > 1:
            x = pixel_shuffle(x, vae.patch_size)
        return self.of.finish(x.transpose(0, 1)[None])[0].transpose(0, 1).clamp(0, 1).float()

    def _remembering(self, number: int, layer: nn.Module, x: Tensor) -> Tensor:
        past = self.pasts.get(number, torch.zeros_like(x[:1]))
        before = torch.cat([past, x[:-1]])
        # layers change what they are given
        self.pasts[number] = x[-1:].clone()
        return layer(x, before)


def takes_past(layer: nn.Module) -> bool:
    """Tell whether a layer wants the frame before as well."""
    return type(layer).__name__ == "MemBlock"
