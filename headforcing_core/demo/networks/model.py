"""The demo model: a small Wan, a text encoder and an autoencoder that ship with this project."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from ...files import open_tensors, replacing
from ...models import (
    CLEAN_LATENT,
    HEADS_KEY,
    PREDICTS_KEY,
    WanConfig,
    WanModel,
    check_finite,
    family_named,
    load_checkpoint,
)
from ..world import SIDE, SPACE_STRIDE, STRIDE
from .autoencoder import CHANNELS, Autoencoder
from .text_encoder import TextEncoder

FAMILY = family_named("demo")
LATENT_SIDE = SIDE // SPACE_STRIDE
SHIPPED = Path(__file__).parents[1] / "weights"
MODEL_FILE = "headforcing_demo.safetensors"
TEXT_ENCODER_FILE = "headforcing_demo_text_encoder.safetensors"
AUTOENCODER_FILE = "headforcing_demo_autoencoder.safetensors"
DIM = 192
CONFIG = WanConfig(
    dim=DIM,
    ffn_dim=4 * DIM,
    freq_dim=64,
    text_dim=96,
    in_dim=CHANNELS,
    out_dim=CHANNELS,
    heads=6,
    layers=6,
    patch=(1, 2, 2),
    eps=1e-6,
    predicts=CLEAN_LATENT,
)


@dataclass(frozen=True)
class DemoModel:
    """The three networks, frozen."""

    wan: WanModel
    text_encoder: TextEncoder
    autoencoder: Autoencoder

    @classmethod
    def load(cls, folder: Path = SHIPPED, device: torch.device | str = "cpu") -> DemoModel:
        """Load from a folder of three files, by default the shipped one. Computes in float32.

        Raises:
            ValueError: if a file is missing or is not what its name says.
        """
        for name in (MODEL_FILE, TEXT_ENCODER_FILE, AUTOENCODER_FILE):
            if not (folder / name).is_file():
                raise ValueError(f"a demo model must have a file {name}, got none in {folder}")
        wan = load_checkpoint(folder / MODEL_FILE, device=device).model
        text_encoder = _filled(TextEncoder(wan.config.text_dim), folder / TEXT_ENCODER_FILE)
        autoencoder = _filled(Autoencoder(), folder / AUTOENCODER_FILE)
        return cls(wan, text_encoder.to(device), autoencoder.to(device))

    def encode(self, video: Tensor) -> Tensor:
        """Encode pictures ``[B, 4 (F - 1) + 1, 3, Y, X]`` as latents, on the CPU."""
        return self.autoencoder.encode(video.to(self.autoencoder.mean.device)).cpu()

    @torch.no_grad()
    def decode(self, latent: Tensor) -> Tensor:
        """Decode latents ``[B, 16, F, Y, X]`` to ``[B, 4 F, 3, 8 Y, 8 X]``, 0 to 1, on the CPU."""
        latent = latent.to(self.autoencoder.mean.device)
        return self.autoencoder.decode(latent).clamp(0, 1).cpu()

    def snapshots(self, latent: Tensor) -> Tensor:
        """Decode ``[C, F, Y, X]`` to the last picture of every frame, ``[F, 3, 8 Y, 8 X]``."""
        return self.decode(latent[None])[0, STRIDE - 1 :: STRIDE].clone()


def save_model(
    folder: Path,
    wan: Mapping[str, Tensor],
    text_encoder: Mapping[str, Tensor],
    autoencoder: Mapping[str, Tensor],
    config: WanConfig = CONFIG,
) -> None:
    """Write the three files, in float16."""
    folder.mkdir(parents=True, exist_ok=True)
    how = {HEADS_KEY: str(config.heads), PREDICTS_KEY: config.predicts}
    for name, weights, metadata in (
        (MODEL_FILE, wan, how),
        (TEXT_ENCODER_FILE, text_encoder, {}),
        (AUTOENCODER_FILE, autoencoder, {}),
    ):
        halves = {n: w.detach().cpu().half().contiguous() for n, w in weights.items()}
        with replacing(folder / name) as partial:
            save_file(halves, partial, metadata)


def _filled(network: nn.Module, path: Path) -> nn.Module:
    source = open_tensors(path)
    expected = {name: tuple(weight.shape) for name, weight in network.state_dict().items()}
    wrong = sorted(dict(expected.items() ^ source.shapes.items()))
    if wrong:
        raise ValueError(
            f"{path.name} must hold the weights of a {type(network).__name__}, got another "
            f"{wrong[0]}; the file is damaged or of another version"
        )
    weights = {}
    for name in expected:
        with source.reading(name) as stored:
            if not stored.is_floating_point() or stored.layout is not torch.strided:
                raise ValueError(
                    f"{path.name} must hold floating point numbers, got others: {name}"
                )
            weights[name] = stored.to(torch.float32, copy=True)
    check_finite(weights)
    # latents are divided by it, and multiplied when they are decoded
    if "std" in weights and not (weights["std"] > 0).all():
        raise ValueError(
            f"std in {path.name} must be positive, got {weights['std'].min():g}; the file is "
            "damaged"
        )
    network.load_state_dict(weights)
    return network.eval().requires_grad_(False)
