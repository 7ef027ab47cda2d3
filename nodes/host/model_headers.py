"""What a model's file says of it before it is loaded: sizes, and what it will compute in."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import lru_cache

import comfy.model_management
import folder_paths
import torch

from ...headforcing_core.files import open_tensors
from ...headforcing_core.models import Family, WanConfig, read_published

FOLDER = "diffusion_models"
DTYPES = [torch.float16, torch.bfloat16, torch.float32]


@dataclass(frozen=True)
class Header:
    """Sizes of a model, and how many models a file holds."""

    config: WanConfig
    models: int


def path_of(file: str) -> str:
    """Return where a file of the list of models is.

    Raises:
        ValueError: if it is not there.
    """
    path = folder_paths.get_full_path(FOLDER, file)
    if path is None:
        raise ValueError(f"model_name must be a file in models/{FOLDER}, got {file[:80]!r}")
    return path


def header_of(path: str, family: Family) -> Header:
    """Return what a file holds; only shapes are read, and once.

    Raises:
        ValueError: if it is no model that can be run as the family is.
    """
    try:
        known = os.stat(path)
    except OSError as error:
        raise ValueError(f"the model's file must be readable, got {error.strerror}") from error
    return _read(path, known.st_mtime_ns, known.st_size, family)


@lru_cache(maxsize=32)
def _read(path: str, _written: int, _size: int, family: Family) -> Header:
    published = read_published(
        open_tensors(path, prefer=family.weights), two_experts=family.two_experts
    )
    family.check_config(published.config)
    return Header(published.config, 1 if published.second is None else 2)


def computes_in(weights: torch.dtype | None) -> torch.dtype:
    """Return what the host computes in with weights that are kept so; None: as it chooses."""
    host = comfy.model_management
    kept = weights or host.unet_dtype(supported_dtypes=DTYPES)
    return host.unet_manual_cast(kept, host.get_torch_device(), DTYPES) or kept
