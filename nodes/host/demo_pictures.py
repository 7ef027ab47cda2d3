"""The demo's autoencoder as the host's VAE."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import comfy.model_management
import comfy.sd
import torch
from comfy.model_patcher import ModelPatcher
from torch import Tensor

from ...headforcing_core.demo.networks import CONFIG, DemoModel, whole_video
from ...headforcing_core.demo.world import SIDE, SPACE_STRIDE, STRIDE

# numbers that lie side by side for every one of a latent: it decodes in 64 channels
DECODING = 1024


class DemoPictures(comfy.sd.VAE):
    """An autoencoder behind the methods and fields that nodes use."""

    def __init__(self, demo: DemoModel):
        self.demo = demo
        self.first_stage_model = demo.autoencoder
        self.device = comfy.model_management.vae_device()
        self.patcher = ModelPatcher(
            demo.autoencoder,
            load_device=self.device,
            offload_device=comfy.model_management.vae_offload_device(),
        )
        self.output_device = comfy.model_management.intermediate_device()
        self.vae_dtype, self.working_dtypes = torch.float32, [torch.float32]
        self.latent_channels, self.latent_dim, self.output_channels = CONFIG.in_dim, 3, 3
        self.upscale_ratio = self.downscale_ratio = SPACE_STRIDE
        self.downscale_index_formula = self.upscale_index_formula = None
        self.disable_offload, self.size = False, None

    def decode(self, samples_in: Tensor, vae_options: dict | None = None) -> Tensor:
        """Decode ``[B, 16, F, Y, X]`` to pictures ``[B, 4 (F - 1) + 1, 8 Y, 8 X, 3]``."""
        if samples_in.ndim != 5 or samples_in.shape[1] != CONFIG.in_dim:
            raise ValueError(
                f"a latent for the demo model must be [B, {CONFIG.in_dim}, F, Y, X], got "
                f"{list(samples_in.shape)}; it is of another model"
            )
        return whole_video(self._loaded().decode(samples_in.float())).movedim(2, -1)

    def decode_frames(self, latent: Tensor) -> Tensor:
        """Decode ``[1, 16, n, Y, X]`` to four pictures of every frame, ``[1, 4 n, 3, 8 Y, 8 X]``.

        Each frame is decoded by itself: this is how a video is decoded while it is made.
        """
        return self._loaded().decode(latent.float())

    def memory_used_decode(self, shape: Sequence[int], dtype: torch.dtype) -> int:
        return DECODING * math.prod(shape) * dtype.itemsize

    def decode_tiled(self, samples: Tensor, *rest: object, **options: object) -> Tensor:
        return self.decode(samples)

    def encode(self, pixel_samples: Tensor) -> Tensor:
        """Encode pictures ``[n, Y, X, 3]``, as many as make whole latent frames."""
        pictures = pixel_samples.reshape(-1, *pixel_samples.shape[-3:])[..., :3].movedim(-1, 1)
        if pictures.shape[2:] != (SIDE, SIDE):
            raise ValueError(
                f"pictures for the demo model must be {SIDE} x {SIDE}, "
                f"got {pictures.shape[3]} x {pictures.shape[2]}; scale them first"
            )
        whole = STRIDE * ((len(pictures) - 1) // STRIDE) + 1
        return self._loaded().encode(pictures[None, :whole].float())

    def encode_tiled(self, pixel_samples: Tensor, *rest: object, **options: object) -> Tensor:
        return self.encode(pixel_samples)

    def spacial_compression_decode(self) -> int:
        return SPACE_STRIDE

    def spacial_compression_encode(self) -> int:
        return SPACE_STRIDE

    def temporal_compression_decode(self) -> int:
        return STRIDE

    def is_dynamic(self) -> bool:
        return False

    def _loaded(self) -> DemoModel:
        """Return the demo with the autoencoder that the host has loaded, where it has."""
        comfy.model_management.load_models_gpu([self.patcher])
        return replace(self.demo, autoencoder=self.patcher.model)
