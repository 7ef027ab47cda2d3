"""Wan's autoencoders, frame by frame: what their causal convolutions remember is kept here."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass

import torch
from einops import rearrange
from torch import Tensor, nn


@dataclass(frozen=True)
class CausalDecoder:
    """Decode with a module that has Wan's causal decoder, of ComfyUI, diffusers or the original.

    Such a module is called ``decoder(x, feat_cache=, feat_idx=)`` and finds in the first what every
    convolution saw of the past. A frame is decoded by itself, so that pictures do not depend on how
    a video is cut into chunks; the hosts decode two at a time, which differs in the last bits.

    Args:
        vae: has ``decoder``, and ``conv2`` or ``post_quant_conv`` in front of it.
        finish: raw pictures ``[1, 3, m, H, W]`` to 0 to 1.
        patch: side of the squares of pixels that raw pictures have packed in channels.
        reach: of Wan 2.1 and 2.2: 24 at the rate of latents, then at two and four times that rate.

    Source: Wan 2.1, arXiv 2503.20314, section 4.1.2 (feature cache).
    """

    vae: nn.Module
    finish: Callable[[Tensor], Tensor]
    patch: int = 1
    reach: int = 38

    def begin(self) -> _Causal:
        return _Causal(self)


class _Causal:
    def __init__(self, of: CausalDecoder):
        self.of, self.decoder = of, of.vae.decoder
        self.first = getattr(of.vae, "conv2", None) or of.vae.post_quant_conv
        said = inspect.signature(self.decoder.forward).parameters
        self.tells_first = "first_chunk" in said
        self.pasts, self.began = _Pasts(), False

    @torch.no_grad()
    def decode(self, latent: Tensor) -> Tensor:
        pictures = [self._frame(frame) for frame in self.first(latent).split(1, 2)]
        return torch.cat(pictures, 2)[0].transpose(0, 1)

    def _frame(self, x: Tensor) -> Tensor:
        beginning = {"first_chunk": not self.began} if self.tells_first else {}
        raw = self.decoder(x, feat_cache=self.pasts, feat_idx=[0], **beginning)
        self.began = True
        # newer hosts give a video in parts
        raw = torch.cat(raw, 2) if isinstance(raw, list) else raw
        side = self.of.patch
        if side > 1:
            raw = rearrange(raw, "b (c r q) f h w -> b c f (h q) (w r)", q=side, r=side)
        return self.of.finish(raw[:, :3].float())


class _Pasts(dict):
    """What each convolution saw last, two frames at most, by its number.

    Newer hosts, which decode frames in pairs, remember one frame of one: the one before is put in
    front of it here.
    """

    def __init__(self) -> None:
        super().__init__()
        self._before: dict[int, object] = {}

    def __missing__(self, number: int) -> None:
        return None

    def __setitem__(self, number: int, past: object) -> None:
        known = self._before.get(number) if self[number] is None else self[number]
        self._before[number] = known
        if isinstance(past, Tensor):
            if past.shape[2] == 1 and isinstance(known, Tensor):
                past = torch.cat([known[:, :, -1:].to(past.device), past], 2)
            elif past.numel() * past.itemsize < past.untyped_storage().nbytes():
                past = past.clone()  # a view would keep all of what it is cut from
            self._before.pop(number)
        super().__setitem__(number, past)
