"""What first frames must be, and those that a node of the host has laid on the model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from comfy.model_patcher import ModelPatcher
from torch import Tensor

from ....headforcing_core.models import WAN_CHANNELS

# nodes that give empty latents
EMPTY = "EmptyHunyuanLatentVideo or EmptyARVideoLatent"
EMPTY_5B = "Wan22ImageToVideoLatent without an image"
# of a latent: what changes nothing of one video
KNOWN = {
    *("samples", "noise_mask", "batch_index", "latent_format_version_0"),
    *("downscale_ratio_spacial", "downscale_ratio_temporal"),
}


def core_start(model: ModelPatcher) -> dict[str, Tensor] | None:
    """Return the first frames that ARVideoI2V has laid on a model, as a latent of nodes.

    It is the VAE's latent, as on a wire; see ``sample_ar_video`` of ComfyUI.
    """
    options = model.model_options.get("transformer_options", {})
    latent = (options.get("ar_config") or {}).get("initial_latent")
    return None if latent is None else {"samples": latent}


def check_size(given: Mapping[str, Any] | None, channels: int) -> Tensor | None:
    """Return the latent whose size and length a video has; None if there is none.

    Raises:
        ValueError: if it is not the empty latent of one video of this model.
    """
    if given is None:
        return None
    empty = given.get("samples")
    plain = isinstance(empty, Tensor) and not empty.is_nested and empty.ndim == 5
    if not plain or empty.shape[:2] != (1, channels):
        raise ValueError(
            f"size must be the empty latent of one video of this model, [1, {channels}, F, Y, X], "
            f"got {list(empty.shape) if isinstance(empty, Tensor) else type(empty).__name__}; use "
            f"{EMPTY if channels == WAN_CHANNELS else EMPTY_5B}"
        )
    if empty.any():
        raise ValueError("size must be empty, got one with a picture; first frames go to start")
    if given.get("noise_mask") is not None:
        raise ValueError("size must be a size alone, got a noise mask with it; take the mask away")
    return empty


def check_start(given: Mapping[str, Any] | None, channels: int) -> Tensor | None:
    """Return the latent of first frames, ``[1, C, n, Y, X]``, None if there are none.

    Raises:
        ValueError: if it is not the latent of one video of this model, or is empty or masked.
    """
    if given is None:
        return None
    latent = given.get("samples")
    if not isinstance(latent, Tensor) or latent.ndim != 5 or latent.shape[:2] != (1, channels):
        raise ValueError(
            f"start must be the latent of one video of this model, [1, {channels}, F, Y, X], "
            f"got {list(latent.shape) if isinstance(latent, Tensor) else type(latent).__name__}"
        )
    if given.get("noise_mask") is not None:
        raise ValueError("start must be kept whole, got a noise mask with it; take the mask away")
    more = sorted(name for name, value in given.items() if name not in KNOWN and value is not None)
    if more:
        raise ValueError(f"start must be a latent alone, got {', '.join(more)} with it")
    if not torch.any(latent):
        raise ValueError(
            "start must be the latent of pictures, got an empty one; connect it to size, which "
            "takes only its size and length"
        )
    if not torch.isfinite(latent).all():
        raise ValueError("start must hold finite numbers, got NaN or infinity")
    return latent
