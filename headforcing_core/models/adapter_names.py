"""Names of an adapter's tensors: from what trainers call layers to what the authors of Wan do."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

from .weight_names import from_diffusers

# what an adapter holds of a layer, in the words that ComfyUI's own loader knows
PARTS = (
    *("lora_A.weight", "lora_B.weight", "lora_down.weight", "lora_up.weight"),
    *("lokr_w1", "lokr_w2", "lokr_w1_a", "lokr_w1_b", "lokr_w2_a", "lokr_w2_b"),
    *("hada_w1_a", "hada_w1_b", "hada_w2_a", "hada_w2_b"),
    *("alpha", "dora_scale", "diff", "diff_b"),
)
# trainers that keep several adapters in a model name each; one that is published is the default
NAMED = ".default"
FLAT = re.compile(r"^lora_unet_+")
# layers that image-to-video models alone have: on other models hosts pass over them
IMAGE = re.compile(r"(?<![a-z])(k_img|v_img|norm_k_img|img_emb|add_[kv]_proj|norm_added_k)\b|_img$")


class AdapterName(NamedTuple):
    """One tensor of an adapter: of which module, which part of it, and where it is stored."""

    module: str
    part: str
    at: str


def adapter_names(stored: Iterable[str], known: Collection[str]) -> list[AdapterName]:
    """Find the module of every tensor of an adapter; those of image layers are left out.

    Args:
        stored: names in the file.
        known: the model's modules that have a weight.

    Raises:
        ValueError: if tensors are of no module of the model, or of no kind that is known; if none
            is left.
    """
    flat = flat_names(known)
    found: dict[tuple[str, str], AdapterName] = {}
    strange: list[str] = []
    for at in stored:
        layer, part = _divided(at)
        module = None if layer is None else module_of(layer, known, flat)
        if module is not None:
            if (module, part) in found:
                raise ValueError(
                    f"a LoRA must name each layer once, got {found[module, part].at} and {at}"
                )
            found[module, part] = AdapterName(module, part, at)
        elif layer is None or not IMAGE.search(layer):
            strange.append(at)
    if strange or not found:
        raise ValueError(
            f"a LoRA must be for this model, got {len(found)} tensors for it and {len(strange)} "
            f"others: {', '.join(sorted(strange)[:3]) or 'layers of an image-to-video model'}; is "
            "it of another model?"
        )
    return list(found.values())


def flat_names(known: Iterable[str]) -> dict[str, str]:
    """Map kohya's names of modules, without dots, to the modules."""
    return {module.replace(".", "_"): module for module in known}


def module_of(layer: str, known: Collection[str], flat: Mapping[str, str]) -> str | None:
    """Find the module that an adapter calls ``layer``, whatever stands before it."""
    if FLAT.match(layer):
        return flat.get(FLAT.sub("", layer))
    parts = layer.split(".")
    for i in range(len(parts)):
        tail = from_diffusers(".".join(parts[i:]) + ".").removesuffix(".")
        if tail in known:
            return tail
    return None


def _divided(at: str) -> tuple[str | None, str]:
    """Divide a name into (layer, part of it); None if it is of no part that is known."""
    plain = at.replace(f"{NAMED}.", ".")
    part = max((part for part in PARTS if plain.endswith("." + part)), key=len, default=None)
    return (None, plain) if part is None else (plain.removesuffix("." + part), part)
