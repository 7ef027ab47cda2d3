"""An adapter as patches of a model of the host."""

from __future__ import annotations

import logging

import comfy.lora
from comfy.model_patcher import ModelPatcher
from torch import Tensor

from ...headforcing_core.files import open_tensors
from ...headforcing_core.models import ADAPTER_WRAPPERS, Adapter, check_strength, weight_shapes
from .backbone import config_of

log = logging.getLogger("headforcing")
ROOT = "diffusion_model."


def with_adapter(model: ModelPatcher, path: str, strength: float) -> ModelPatcher:
    """Return a clone of a model with an adapter on it, as the host's own loader puts it there.

    Raises:
        ValueError: if any tensor of the file is not for this model, or would be passed over.
    """
    check_strength(strength)
    source = open_tensors(path, prefer=ADAPTER_WRAPPERS)
    shapes = weight_shapes(config_of(model.get_model_object("diffusion_model")))
    adapter = Adapter(source, shapes)
    modules = {name.module for name in adapter.names}
    tensors: dict[str, Tensor] = {
        f"{ROOT}{module}.{part}": value
        for module in modules
        for part, value in adapter.read(module).items()
    }
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
    images = len(source.shapes) - len(adapter.names)
    if images:
        log.info("Head Forcing: %d tensors of image layers are left out, as on any model", images)
    return clone
