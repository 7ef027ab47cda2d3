"""Files of random Wan autoencoders as people have them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from headforcing.headforcing_core.autoencoders import PublishedVae
from headforcing.headforcing_core.files.tensor_files import TensorDict

# of diffusers' names; the way back to the authors'
BACK = (
    (r"^quant_conv\.", "conv1."),
    (r"^post_quant_conv\.", "conv2."),
    (r"\.conv_in\.", ".conv1."),
    (r"\.norm_out\.", ".head.0."),
    (r"\.conv_out\.", ".head.2."),
    (r"\.norm1\.", ".residual.0."),
    (r"\.norm2\.", ".residual.3."),
    (r"(resnets\.\d|down_blocks\.\d+)\.conv1\.", r"\1.residual.2."),
    (r"(resnets\.\d|down_blocks\.\d+)\.conv2\.", r"\1.residual.6."),
    (r"\.conv_shortcut\.", ".shortcut."),
    (r"\.mid_block\.attentions\.0\.", ".middle.1."),
    (r"\.mid_block\.resnets\.0\.", ".middle.0."),
    (r"\.mid_block\.resnets\.1\.", ".middle.2."),
    (r"\.down_blocks\.(\d)\.downsampler\.", r".downsamples.\1.downsamples.2."),
    (r"\.down_blocks\.(\d)\.resnets\.", r".downsamples.\1.downsamples."),
    (r"\.down_blocks\.", ".downsamples."),
)


def tiny(around: bool, made: int | None = None) -> PublishedVae:
    """Sizes of an autoencoder of Wan 2.1, or of Wan 2.2."""
    channels, packed = (48, 12) if around else (16, 3)
    last = 12 if around else 8
    return PublishedVae(TensorDict({}), (), 8, last, channels, packed, made or packed, around)


def random_vae(sizes: PublishedVae, seed: int = 0) -> dict[str, Tensor]:
    """Draw weights under diffusers' names; what passes through keeps its size."""
    rng, weights = torch.Generator().manual_seed(seed), {}
    for name, empty in sizes.empty().state_dict().items():
        draw = torch.randn(empty.shape, generator=rng)
        if name.endswith("gamma"):
            weights[name] = 1 + 0.1 * draw
        elif draw.ndim > 1:
            weights[name] = draw / draw[0].numel() ** 0.5
        else:
            weights[name] = 0.02 * draw
    return weights


def of_authors(weights: Mapping[str, Tensor], around: bool) -> dict[str, Tensor]:
    """Return weights under the authors' names, which ComfyUI uses."""

    def renamed(name: str) -> str:
        for pattern, by in BACK:
            name = re.sub(pattern, by, name)
        up = re.search(r"\.up_blocks\.(\d)\.(?:resnets\.(\d)|upsamplers?(?:\.0)?)\.", name)
        if not up:
            return name
        block, part = int(up[1]), int(up[2] or 3)
        where = f"{block}.upsamples.{part}" if around else f"{4 * block + part}"
        return name.replace(up[0], f".upsamples.{where}.")

    return {renamed(name): weight for name, weight in weights.items()}


def write_vaes(folder: Path, around: bool) -> dict[str, tuple[Path, dict[str, Tensor]]]:
    """Write a random autoencoder in every layout.

    Returns:
        by name: (path, the numbers it stands for, by diffusers' names).
    """
    weights = random_vae(tiny(around))
    named = of_authors(weights, around)
    half = {name: weight.bfloat16() for name, weight in named.items()}
    authors, root = folder / "authors", folder / "diffusers"
    authors.mkdir(parents=True)
    (root / "vae").mkdir(parents=True)
    (root / "transformer").mkdir()
    torch.save(named, authors / f"Wan2.{2 if around else 1}_VAE.pth")
    save_file(half, folder / "wan_vae.safetensors")
    prefixed = {f"first_stage_model.{name}": weight for name, weight in named.items()}
    save_file(prefixed | {"model.x": torch.zeros(1)}, folder / "all_in_one.safetensors")
    save_file(weights, root / "vae" / "diffusion_pytorch_model.safetensors")
    (root / "vae" / "config.json").write_text(json.dumps({"_class_name": "AutoencoderKLWan"}))
    rounded = {name: weight.bfloat16().float() for name, weight in weights.items()}
    return {
        "authors": (authors / f"Wan2.{2 if around else 1}_VAE.pth", weights),
        "authors' folder": (authors, weights),
        "host": (folder / "wan_vae.safetensors", rounded),
        "all in one": (folder / "all_in_one.safetensors", weights),
        "diffusers": (root, weights),
        "diffusers' folder": (root / "vae", weights),
    }
