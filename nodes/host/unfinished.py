"""What is finished of a video whose run has not ended: a file that the same run goes on from."""

from __future__ import annotations

import hashlib
import json
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import comfy.utils
import folder_paths
import torch
from comfy.model_patcher import ModelPatcher
from safetensors import SafetensorError, safe_open
from torch import Tensor

from ...headforcing_core.files import clear_leftovers, replacing, saved_elsewhere
from ...headforcing_core.generation import VideoRequest
from ...headforcing_core.video import PromptSchedule
from .backbone import dtype_of
from .checks import has_own_forward
from .digests import digest_of
from .fingerprint import name_of, values_of

log = logging.getLogger("headforcing")
NAME = "head_forcing_unfinished"
ABOUT = "head_forcing_run"
LATENT = "latent_tensor"


@dataclass(frozen=True)
class Video:
    """Everything that decides a video but its length: two runs of one video agree frame by frame.

    Args:
        prompts: names of prompts and when they begin.
        conditioning: of each name.
        start: latent of first frames.
    """

    model: ModelPatcher
    request: VideoRequest
    prompts: PromptSchedule
    conditioning: Sequence[list]
    start: Tensor | None

    @cached_property
    def name(self) -> str:
        """The video's digest. Its model counts by its weights, not by its file."""
        model, request = self.model, self.request
        about = {
            "settings": request.settings,
            "method": repr(request.method),
            "map": repr(request.head_map and request.head_map.types),
            "starts": self.prompts.starts,
            "cuts": sorted(self.prompts.cuts),
            "said": [_digest(entry[0]) for entries in self.conditioning for entry in entries],
            "start": self.start is not None and _digest(self.start),
            "model": name_of(model),
            "values": values_of(model),
            # a strength that flips no sign makes another video of the same model
            "adapters": digest_of(model.patches),
            "dtype": [str(dtype_of(model)), str(model.model.get_dtype())],
            "beside": sorted(map(str, (*model.object_patches, *model.wrappers))),
            "text": digest_of(_text_attention(model)),
            "options": digest_of(_asked(model)),
        }
        return hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()


def _text_attention(model: ModelPatcher) -> list[object]:
    """Return what others read the text with."""
    patches = sorted(model.object_patches.items(), key=lambda x: x[0])
    placed = (block.cross_attn for block in model.model.diffusion_model.blocks)
    others = [own for own in placed if not has_own_forward(own)]
    return [
        [patch for name, patch in patches if "cross_attn" in name],
        [[type(own).forward, vars(own).get("forward")] for own in others],
    ]


def _asked(model: ModelPatcher) -> dict[str, object]:
    """Return what decides how is attended, among a model's options."""
    options = model.model_options.get("transformer_options", {})
    return {name: value for name, value in options.items() if name not in ("wrappers", "ar_config")}


def _digest(tensor: Tensor) -> str:
    values = tensor.detach().float().cpu().contiguous().numpy()
    return hashlib.sha256(values.tobytes()).hexdigest()


def folder() -> Path:
    """Return where Save Latent writes to by default."""
    return Path(folder_paths.get_output_directory()) / "latents"


def find(video: Video) -> tuple[Path, Tensor] | None:
    """Return the longest unfinished file of a video and its latent ``[1, C, n, Y, X]``."""
    found: list[tuple[Path, Tensor]] = []
    for path in sorted(folder().glob(f"{NAME}_*.latent")):
        try:
            with safe_open(path, "pt") as file:
                if (file.metadata() or {}).get(ABOUT) == video.name:
                    found.append((path, _checked(file.get_tensor(LATENT), video.request)))
        except (OSError, ValueError, SafetensorError) as error:
            log.warning("Head Forcing: %s cannot be read and is left alone: %s", path, error)
    return max(found, key=lambda one: one[1].shape[2], default=None)


def _checked(latent: Tensor, request: VideoRequest) -> Tensor:
    first = next(iter(request.clock)).stop
    fits = latent.ndim == 5 and latent.shape[0] == 1 and latent.shape[2] >= first
    if not fits or latent.shape[3:] != (request.rows, request.columns):
        raise ValueError(
            f"what is finished must be [1, channels, {first} or more, {request.rows}, "
            f"{request.columns}], got {list(latent.shape)}"
        )
    if not latent.isfinite().all():
        raise ValueError("what is finished must be finite numbers, got NaN or infinity")
    return latent


def new_path() -> Path:
    """Return a name in the folder that nobody has."""
    stamp = f"{NAME}_{time.strftime('%Y%m%d_%H%M%S')}"
    names = (f"{stamp}{mark}.latent" for mark in ("", *(f"_{n}" for n in range(1, 1000))))
    return next(folder() / name for name in names if not (folder() / name).exists())


def write(path: Path, video: Video, latent: Tensor) -> None:
    """Write a latent ``[1, C, n, Y, X]`` as Save Latent does, whole or not at all.

    Raises:
        OSError: if it cannot be; an older file stays as it was.
    """
    tensors = {LATENT: latent.contiguous(), "latent_format_version_0": torch.tensor([])}
    path.parent.mkdir(parents=True, exist_ok=True)
    clear_leftovers(path)
    with replacing(path) as partial:
        comfy.utils.save_torch_file(tensors, str(partial), metadata={ABOUT: video.name})


def write_somewhere(path: Path, video: Video, latent: Tensor) -> Path:
    """Write to a path, or elsewhere if its place is gone; return where it is.

    Raises:
        OSError: if there is room nowhere.
    """
    try:
        write(path, video, latent)
    except OSError as error:
        log.warning("Head Forcing: %s", error)
        return saved_elsewhere(lambda other: write(other, video, latent), path.name)
    return path
