"""The small model that ships, in the forms the host's own nodes know: MODEL, CLIP, VAE."""

from __future__ import annotations

from dataclasses import asdict

import comfy.latent_formats
import comfy.model_management
import comfy.model_patcher
import comfy.model_sampling
import comfy.sd
import comfy.supported_models
import torch
from torch import Tensor

from ...headforcing_core.demo.networks import (
    COLOUR_CHANNELS,
    CONFIG,
    FAMILY,
    DemoModel,
    whole_video,
)
from ...headforcing_core.demo.profiles import maps_of
from ...headforcing_core.demo.world import SIDE, SPACE_STRIDE, STRIDE
from ..graph import note_family, note_maps

TIMES = 1000


class CleanPrediction(comfy.model_sampling.CONST):
    """A flow schedule for a network that gives the clean latent itself."""

    def calculate_denoised(
        self, sigma: Tensor, model_output: Tensor, model_input: Tensor
    ) -> Tensor:
        return model_output


class DemoSampling(comfy.model_sampling.ModelSamplingDiscreteFlow, CleanPrediction):
    pass


class DemoText(comfy.sd.CLIP):
    """The demo's text encoder behind the methods that nodes call."""

    def __init__(self, demo: DemoModel):
        super().__init__(no_init=True)
        self.demo = demo

    def clone(self) -> DemoText:
        return DemoText(self.demo)

    def tokenize(self, text: str, return_word_ids: bool = False, **options: object) -> str:
        return text

    def encode_from_tokens(
        self, tokens: str, return_pooled: bool = False, return_dict: bool = False
    ) -> object:
        cond = self.demo.text_encoder.encode([tokens]).cpu()
        if return_dict:
            return {"cond": cond, "pooled_output": None}
        return (cond, None) if return_pooled else cond

    def encode_from_tokens_scheduled(
        self,
        tokens: str,
        unprojected: bool = False,
        add_dict: dict | None = None,
        **options: object,
    ) -> list:
        return [[self.encode_from_tokens(tokens), dict(add_dict or {})]]


class DemoPictures(comfy.sd.VAE):
    """The demo's autoencoder behind the methods that nodes call."""

    def __init__(self, demo: DemoModel):
        self.demo = demo

    def decode(self, samples_in: Tensor, vae_options: dict | None = None) -> Tensor:
        """Decode ``[B, 16, F, Y, X]`` to pictures ``[B, 4 (F - 1) + 1, 8 Y, 8 X, 3]``."""
        return whole_video(self.demo.decode(samples_in.float())).movedim(2, -1)

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
        return self.demo.encode(pictures[None, :whole].float())

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


def load_demo() -> tuple[comfy.model_patcher.ModelPatcher, DemoText, DemoPictures]:
    """Return the shipped model as the host's own kinds, its head maps attached."""
    demo = DemoModel.load()
    sizes = {name: value for name, value in asdict(CONFIG).items() if name != "predicts"}
    network = {
        "image_model": "wan2.1",
        "model_type": "t2v",
        "num_heads": sizes.pop("heads"),
        "num_layers": sizes.pop("layers"),
        "patch_size": sizes.pop("patch"),
        **sizes,
    }
    config = comfy.supported_models.WAN21_T2V(network)
    config.latent_format = _latents(demo)
    config.set_inference_dtype(torch.float32, None)
    base = config.get_model({}, "")
    base.diffusion_model.load_state_dict(demo.wan.state_dict())
    base.diffusion_model.eval().requires_grad_(False)
    base.model_sampling = DemoSampling(config)
    base.model_sampling.set_parameters(shift=FAMILY.shift, multiplier=TIMES)
    patcher = comfy.model_patcher.ModelPatcher(
        base,
        load_device=comfy.model_management.get_torch_device(),
        offload_device=comfy.model_management.unet_offload_device(),
    )
    note_family(patcher, FAMILY)
    note_maps(patcher, maps_of(demo))
    return patcher, DemoText(demo), DemoPictures(demo)


def _latents(demo: DemoModel) -> comfy.latent_formats.LatentFormat:
    """Return the demo's latent space, with what previews need: its colours are plain means."""
    latents = comfy.latent_formats.LatentFormat()
    latents.latent_channels, latents.latent_dimensions = CONFIG.in_dim, 3
    mean, std = demo.autoencoder.mean.tolist(), demo.autoencoder.std.tolist()
    cells = COLOUR_CHANNELS // 3
    latents.latent_rgb_factors = [
        [std[channel] / cells if channel // cells == colour else 0.0 for colour in range(3)]
        for channel in range(CONFIG.in_dim)
    ]
    latents.latent_rgb_factors_bias = [
        sum(mean[colour * cells : (colour + 1) * cells]) / cells for colour in range(3)
    ]
    return latents
