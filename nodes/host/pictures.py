"""The host's autoencoders as decoders that stream."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import comfy.ldm.wan.vae
import comfy.ldm.wan.vae2_2
import comfy.model_management
import comfy.sd
import comfy.taesd.taehv
import torch
from torch import Tensor

from ...headforcing_core.decoding import (
    CausalDecoder,
    Decoder,
    Decoding,
    FramewiseDecoder,
    MemoryBlockDecoder,
    OverlappedDecoder,
    TiledDecoder,
)
from .digests import digest_of

log = logging.getLogger("headforcing")
# of an autoencoder that packs squares of pixels in channels as well
WAN22_PATCH = 2
# of TAEHV's relatives the one that decodes in stretches of its own
STRETCHES = "is_h3"
# share of a tile that neighbours have in common
SHARED = 4
# autoencoders that encode and decode by themselves, where the host has loaded them
WAN = (comfy.ldm.wan.vae.WanVAE, comfy.ldm.wan.vae2_2.WanVAE)
# frames that are decoded at a time, for what the host reserves
AT_ONCE = 1


@dataclass(frozen=True)
class HostDecoder:
    """A VAE that decodes a video while it is made; see ``Decoder``.

    Args:
        tile: side of tiles in pixels, 0 for whole pictures.
    """

    vae: comfy.sd.VAE
    tile: int = 0

    @classmethod
    def of(cls, vae: comfy.sd.VAE, tile: int, channels: int) -> HostDecoder:
        """Return the decoder of latents of so many channels.

        Raises:
            ValueError: if it is no autoencoder, or of pictures, or of other latents.
        """
        _check(vae, channels)
        return cls(vae, tile)

    @property
    def device(self) -> torch.device:
        return torch.device(self.vae.device)

    @property
    def reach(self) -> int:
        return self._decoder.reach

    @property
    def key(self) -> str:
        """A digest that autoencoders have in common which show the same pictures."""
        weights = dict(self.vae.first_stage_model.state_dict())
        kind = type(self.vae.first_stage_model).__qualname__
        return digest_of([kind, weights, str(self.vae.vae_dtype), self.tile])

    def begin(self) -> _Loaded:
        return _Loaded(self)

    def encode(self, picture: Tensor) -> Tensor:
        """Encode one picture ``[1, 3, H, W]``, 0 to 1, by itself.

        Returns:
            ``[1, C, 1, Y, X]`` as nodes have it, float32.
        """
        vae, model = self.vae, self.vae.first_stage_model
        if not isinstance(model, WAN):
            return vae.encode(picture.movedim(1, -1)).float()
        # the host's way loads the autoencoder first, and may put the sampled model away for that
        pixels = vae.process_input(picture[:, :, None]).to(self.device, vae.vae_dtype)
        return model.encode(pixels).float()

    def room(self, shape: Sequence[int]) -> int:
        """Return the bytes that decoding takes, of a video's latent shape."""
        rows, columns = shape[3:]
        if self.tile:
            side = self.tile // self._scale
            rows, columns = min(rows, side), min(columns, side)
        at_once = AT_ONCE if self._streams else self.reach + AT_ONCE
        return int(
            self.vae.memory_used_decode([1, shape[1], at_once, rows, columns], self.vae.vae_dtype)
        )

    def load(self, shape: Sequence[int]) -> None:
        """Have the host load the autoencoder, with room to decode such a latent."""
        comfy.model_management.load_models_gpu(
            [self.vae.patcher],
            memory_required=self.room(shape),
            force_full_load=self.vae.disable_offload,
        )

    def size(self, rows: int, columns: int) -> tuple[int, int]:
        """Return width and height of a picture in pixels."""
        return columns * self._scale, rows * self._scale

    @property
    def _scale(self) -> int:
        return int(self.vae.spacial_compression_decode())

    @property
    def _streams(self) -> bool:
        return not isinstance(self._whole, OverlappedDecoder)

    @property
    def _decoder(self) -> Decoder:
        if not self.tile:
            return self._whole
        side = max(2, self.tile // self._scale)
        return TiledDecoder(self._whole, side, max(1, side // SHARED))

    @property
    def _whole(self) -> Decoder:
        vae, model = self.vae, self.vae.first_stage_model
        if hasattr(vae, "decode_frames"):
            return FramewiseDecoder(vae.decode_frames, vae.temporal_compression_decode())
        if isinstance(model, WAN):
            patch = WAN22_PATCH if isinstance(model, comfy.ldm.wan.vae2_2.WanVAE) else 1
            return CausalDecoder(model, vae.process_output, patch)
        if isinstance(model, comfy.taesd.taehv.TAEHV) and not getattr(model, STRETCHES, False):
            return MemoryBlockDecoder(model, vae.process_output)
        return OverlappedDecoder(self._by_host, _tell)

    def _by_host(self, latent: Tensor) -> Tensor:
        return self.vae.decode(latent)[0][..., :3].movedim(-1, 1).float()


class _Loaded:
    """A decoding that moves latents to where the autoencoder is."""

    def __init__(self, of: HostDecoder):
        self.of, self.decoding = of, _begun(of)

    def decode(self, latent: Tensor) -> Tensor:
        place = {"device": self.of.device, "dtype": self.of.vae.vae_dtype}
        return self.decoding.decode(latent.to(**place))


def _begun(of: HostDecoder) -> Decoding:
    return of._decoder.begin()


def _check(vae: comfy.sd.VAE, channels: int) -> None:
    """Refuse what does not decode a video of such latents."""
    if not hasattr(vae, "first_stage_model") or not hasattr(vae, "latent_channels"):
        raise ValueError(f"vae must be what Load VAE gives, got {type(vae).__name__}")
    if vae.latent_dim != 3:
        raise ValueError("vae must be one of videos, got one of pictures; load Wan's")
    if vae.latent_channels != channels:
        raise ValueError(
            f"vae must decode latents of {channels} channels, got one of {vae.latent_channels}; "
            "Wan 2.1 and the tiny VAEs made for it have 16, Wan 2.2's 5B has 48"
        )
    colours = getattr(vae, "conv_out_channels", 3)
    if colours not in (3, 4):
        raise ValueError(
            f"vae must give pictures of three colours, got {colours} channels: it enlarges, and "
            "needs VAE Decode and its own node"
        )


def _tell(mean: float, most: float) -> None:
    log.warning(
        "Head Forcing: this VAE cannot be streamed; it is decoded with frames of the past in "
        "front, which differs from decoding the whole by %.4f of 1 on average, %.3f at most",
        *(mean, most),
    )
