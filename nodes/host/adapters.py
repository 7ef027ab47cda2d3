"""An adapter as patches of a model of the host."""

from __future__ import annotations

from collections.abc import Mapping

import comfy.lora
import torch
from comfy.model_patcher import ModelPatcher
from torch import Tensor

from ...headforcing_core.files import open_tensors
from ...headforcing_core.models import ADAPTER_WRAPPERS, adapter_names, check_adapter, weight_shapes
from .backbone import config_of

ROOT = "diffusion_model."


def with_adapter(model: ModelPatcher, path: str, strength: float) -> ModelPatcher:
    """Return a clone of a model with an adapter on it, as the host's own loader puts it there.

    Raises:
        ValueError: if any tensor of the file is not for this model, or would be passed over.
    """
    shapes = weight_shapes(config_of(model.get_model_object("diffusion_model")))
    known = {name.removesuffix(".weight") for name in shapes if name.endswith(".weight")}
    source = open_tensors(path, prefer=ADAPTER_WRAPPERS)
    names = adapter_names(source.shapes, known)
    check_adapter(names, source.shapes, shapes)
    tensors: dict[str, Tensor] = {}
    for name in names:
        with source.reading(name.at) as stored:
            tensors[f"{ROOT}{name.module}.{name.part}"] = stored.clone()
    _check_finite(tensors)
    modules = {name.module for name in names}
    keys = {f"{ROOT}{module}": f"{ROOT}{module}.weight" for module in modules}
    patches = comfy.lora.load_lora(tensors, keys)
    clone = model.clone()
    patched = {key.rpartition(".")[0] for key in clone.add_patches(patches, strength)}
    left = sorted(module for module in modules if f"{ROOT}{module}" not in patched)
    if left or len(patched) != len(modules):
        raise ValueError(
            f"every layer of a LoRA must be one that this ComfyUI can patch, got {len(left)} of "
            f"{len(modules)} that it cannot: {', '.join(left[:3])}"
        )
    return clone


def _check_finite(tensors: Mapping[str, Tensor]) -> None:
    bad = [name for name, x in tensors.items() if not torch.isfinite(x.float()).all()]
    if bad:
        raise ValueError(
            f"a LoRA must hold finite numbers, got NaN or infinity in {len(bad)} tensors: "
            f"{', '.join(bad[:3])}; the file is damaged"
        )
