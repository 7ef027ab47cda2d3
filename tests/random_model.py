"""A tiny Wan checkpoint with random weights: it runs as real ones do and shows nothing."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from headforcing.headforcing_core.models import HEADS_KEY, WanConfig, WanModel
from headforcing.headforcing_core.models.families import WAN_EPS

TINY = WanConfig(
    dim=96,
    ffn_dim=192,
    freq_dim=64,
    text_dim=64,
    in_dim=16,
    out_dim=16,
    heads=4,
    layers=4,
    patch=(1, 2, 2),
    eps=WAN_EPS,
)


def random_weights(config: WanConfig, seed: int = 0) -> dict[str, Tensor]:
    """Draw weights under the published names.

    They keep the size of what passes through them, so that a rollout stays in range however long
    it is.
    """
    with torch.device("meta"):
        shapes = {n: x.shape for n, x in WanModel(config).state_dict().items()}
    rng = torch.Generator().manual_seed(seed)
    weights = {}
    for name, shape in shapes.items():
        draw = torch.randn(shape, generator=rng)
        if len(shape) > 1:
            weights[name] = draw / shape[1:].numel() ** 0.5
        else:
            weights[name] = 0.02 * draw + (1.0 if "norm" in name and "weight" in name else 0.0)
    return weights


def write_random_checkpoint(path: Path, seed: int = 0) -> None:
    """Write a tiny checkpoint in the published layout."""
    save_file(random_weights(TINY, seed), path, {HEADS_KEY: str(TINY.heads)})
