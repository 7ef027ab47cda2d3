"""The small model that ships, in the forms the host's own nodes know: MODEL, CLIP, VAE."""

from __future__ import annotations

from dataclasses import asdict

import comfy.latent_formats
import comfy.model_management
import comfy.model_sampling
import comfy.supported_models
import torch
from comfy.model_patcher import ModelPatcher
from torch import Tensor

from ...headforcing_core.demo.networks import COLOUR_CHANNELS, CONFIG, FAMILY, DemoModel
from ...headforcing_core.demo.profiles import maps_of
from ..graph import note_family, note_maps
from .checks import GivesClean
from .demo_pictures import DemoPictures
from .demo_text import DemoText

TIMES = 1000


class CleanPrediction(comfy.model_sampling.CONST, GivesClean):
    """A flow schedule for a network that gives the clean latent itself."""

    def calculate_denoised(
        self, sigma: Tensor, model_output: Tensor, model_input: Tensor
    ) -> Tensor:
        return model_output


class DemoSampling(comfy.model_sampling.ModelSamplingDiscreteFlow, CleanPrediction):
    pass


def load_demo() -> tuple[ModelPatcher, DemoText, DemoPictures]:
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
    patcher = ModelPatcher(
        base,
        load_device=comfy.model_management.get_torch_device(),
        offload_device=comfy.model_management.unet_offload_device(),
    )
    note_family(patcher, FAMILY)
    note_maps(patcher, maps_of(demo))
    text, pictures = DemoText(demo.text_encoder), DemoPictures(demo)
    for number, own in enumerate((patcher, text.patcher, pictures.patcher)):
        # newer hosts load a model anew by this, for another device
        own.cached_patcher_init = (_patchers, (), number)
    return patcher, text, pictures


def _patchers(disable_dynamic: bool = False) -> tuple[ModelPatcher, ModelPatcher, ModelPatcher]:
    model, text, pictures = load_demo()
    return model, text.patcher, pictures.patcher


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
