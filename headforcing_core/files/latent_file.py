"""Latents and text embeddings on disk."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from .json_text import json_of, named, shown
from .replaced import check_place, refuse_unlike_file, replacing
from .tensor_files import TensorSource, open_tensors

LATENTS = "latents"
SETTINGS_KEY = "headforcing"
SPACE_KEY = "space"
# as the model sees latents
NORMALISED = "normalised"
TEXT_NAMES = ("text", "context", "prompt_embeds", "embedding")


def check_writable(path: Path, size: int = 0) -> None:
    """Refuse a place where latents could not be written, before there are any to lose.

    Args:
        size: of the latents in bytes.

    Raises:
        ValueError: if the name is not that of a latent file, or the place cannot be written to or
            has no room.
    """
    if path.suffix.lower() != ".safetensors":
        raise ValueError(f"latents must go to a .safetensors file, got {path.name}")
    refuse_unlike_file(path)
    if path.exists() and not is_latent_file(path):
        raise ValueError(
            f"latents may replace only latents, got {path}, which is something else; "
            "choose another name"
        )
    check_place(path, size)


def write_latents(path: Path, latents: Tensor, settings: Mapping[str, object]) -> None:
    """Write ``[B, C, F, Y, X]`` latents and what made them, whole or not at all.

    The values are those the model sees (normalised, not what a VAE takes).

    Raises:
        OSError: if the disk is full or the place is gone; an older file stays as it was.
    """
    metadata = {SETTINGS_KEY: json.dumps(settings), SPACE_KEY: NORMALISED}
    with replacing(path) as partial:
        save_file({LATENTS: latents.contiguous()}, partial, metadata)


def is_latent_file(path: Path) -> bool:
    """Tell whether a file was written by ``write_latents``."""
    try:
        source = open_tensors(path)
        return LATENTS in source.shapes and _settings(source, path) is not None
    except ValueError:
        return False


def read_settings(path: str | Path) -> dict[str, object] | None:
    """Return what made a file of latents, None if the file does not say.

    Raises:
        ValueError: if the file is damaged, or says it in no JSON object.
    """
    return _settings(open_tensors(path), path)


def read_space(path: str | Path) -> str | None:
    """Return in which space a file's latents are, "normalised" if we wrote it; None: not said.

    Raises:
        ValueError: if the file is damaged.
    """
    return open_tensors(path).metadata.get(SPACE_KEY)


def _settings(source: TensorSource, path: str | Path) -> dict[str, object] | None:
    text = source.metadata.get(SETTINGS_KEY)
    if not text:
        return None
    try:
        settings = json_of(text)
    except ValueError as error:
        raise ValueError(
            f"the settings in {named(path)} must be JSON, got {shown(text)}: {error}"
        ) from None
    if not isinstance(settings, dict):
        raise ValueError(
            f"the settings in {named(path)} must be a JSON object, got {shown(settings)}"
        )
    return settings


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
            f"{named(path)} must hold a tensor named {LATENTS!r}, got {_names(source)}"
        )
    there = source.shapes[LATENTS]
    batch, channels, rows, columns = shape
    expected = f"[{batch}, {channels}, frames, {rows}, {columns}]"
    if len(there) != 5 or (*there[:2], *there[3:]) != shape or not there[2]:
        raise ValueError(f"latents to start from must be {expected}, got {list(there)}")
    latents = _read(source, LATENTS)
    if not latents.isfinite().all():
        raise ValueError("latents to start from must be finite numbers, got NaN or infinity")
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
    found = [name for name in TEXT_NAMES if name in source.shapes] or list(source.shapes)
    if len(found) != 1:
        raise ValueError(
            f"{named(path)} must hold one tensor, or one named {', '.join(TEXT_NAMES)}, "
            f"got {_names(source)}"
        )
    there = source.shapes[found[0]]
    batch, rows, width = (1, *there)[-3:] if len(there) in (2, 3) else (0, 0, 0)
    if batch < 1 or not 1 <= rows <= tokens or width != text_dim:
        raise ValueError(
            f"a text embedding must be [rows, {text_dim}] with 1 to {tokens} rows for this model, "
            f"got {[1, *there] if len(there) == 2 else list(there)}"
        )
    text = _read(source, found[0]).reshape(batch, rows, width)
    if not text.isfinite().all():
        raise ValueError("a text embedding must hold finite numbers, got NaN or infinity")
    return torch.nn.functional.pad(text, (0, 0, 0, tokens - rows))


def _names(source: TensorSource) -> str:
    return f"[{', '.join(map(shown, sorted(source.shapes)[:3]))}]"


def _read(source: TensorSource, name: str) -> Tensor:
    with source.reading(name) as stored:
        if not stored.is_floating_point() or stored.layout is not torch.strided:
            raise ValueError(
                f"{name} must be a dense tensor of floating point numbers, got {stored.dtype}, "
                f"{stored.layout}"
            )
        return stored.to(torch.float32, copy=True)
