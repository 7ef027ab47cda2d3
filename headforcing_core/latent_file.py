"""Latents and text embeddings on disk."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from .tensor_files import open_tensors

LATENTS = "latents"
SETTINGS_KEY = "headforcing"
TEXT_NAMES = ("text", "context", "prompt_embeds", "embedding")


def write_latents(path: Path, latents: Tensor, settings: Mapping[str, object]) -> None:
    """Write ``[B, C, F, Y, X]`` latents and what made them, whole or not at all.

    The values are those the model sees (normalised, not what a VAE takes).
    """
    partial = path.with_name(path.name + ".partial")
    metadata = {SETTINGS_KEY: json.dumps(settings), "space": "normalised"}
    save_file({LATENTS: latents.contiguous()}, partial, metadata)
    os.replace(partial, path)


def read_latents(path: str | Path, shape: tuple[int, int, int, int]) -> Tensor:
    """Read latents to go on from.

    Args:
        shape: the (B, C, Y, X) they must have.

    Returns:
        ``[B, C, F, Y, X]`` float32.

    Raises:
        ValueError: if the file is no latent file or its latents are of another size.
    """
    source = open_tensors(path)
    if LATENTS not in source.shapes:
        raise ValueError(
            f"{Path(path).name} must hold a tensor named {LATENTS!r}, "
            f"got {sorted(source.shapes)[:3]}"
        )
    with source.reading(LATENTS) as stored:
        latents = stored.to(torch.float32, copy=True)
    batch, channels, rows, columns = shape
    expected = f"[{batch}, {channels}, frames, {rows}, {columns}]"
    if latents.ndim != 5 or latents.shape[:2] + latents.shape[3:] != shape:
        raise ValueError(f"latents to start from must be {expected}, got {list(latents.shape)}")
    return latents


def read_text_embedding(path: str | Path, text_dim: int, tokens: int) -> Tensor:
    """Read a prompt's embedding and pad it with zero rows, which the model attends to as well.

    Args:
        path: a file with one tensor, or one named text, context, prompt_embeds or embedding:
            ``[S, text_dim]`` or ``[B, S, text_dim]``.
        text_dim: width the model expects.
        tokens: rows the model was trained with; S must not exceed it.

    Returns:
        ``[B, tokens, text_dim]`` float32.

    Raises:
        ValueError: if no such tensor is there.
    """
    source = open_tensors(path)
    named = [name for name in TEXT_NAMES if name in source.shapes] or list(source.shapes)
    if len(named) != 1:
        raise ValueError(
            f"{Path(path).name} must hold one tensor, or one named {', '.join(TEXT_NAMES)}, "
            f"got {sorted(source.shapes)[:3]}"
        )
    with source.reading(named[0]) as stored:
        text = stored.to(torch.float32, copy=True)
    text = text[None] if text.ndim == 2 else text
    if text.ndim != 3 or text.shape[2] != text_dim or not 1 <= text.shape[1] <= tokens:
        raise ValueError(
            f"a text embedding must be [rows, {text_dim}] with 1 to {tokens} rows for this model, "
            f"got {list(text.shape)}"
        )
    if not text.isfinite().all():
        raise ValueError("a text embedding must hold finite numbers, got NaN or infinity")
    return torch.nn.functional.pad(text, (0, 0, 0, tokens - text.shape[1]))
