"""Which model this is: a name made from its weights and what LoRAs make of them."""

from __future__ import annotations

import comfy.lora
from comfy.model_patcher import ModelPatcher
from torch import Tensor

from ...headforcing_core.models import fingerprint

ROOT = "diffusion_model."


def name_of(model: ModelPatcher) -> str:
    """Return the fingerprint of a model with its LoRAs, wherever its weights are just now."""
    weights: dict[str, Tensor] = {}
    for name, weight in model.model.diffusion_model.state_dict().items():
        key = ROOT + name
        # while a model is loaded its patches are in it, and the original is kept aside
        kept = model.backup.get(key)
        plain = weight if kept is None else kept.weight
        patches = model.patches.get(key)
        if patches:
            plain = comfy.lora.calculate_weight(patches, plain.float().clone(), key)
        weights[name] = plain
    return fingerprint(weights)
