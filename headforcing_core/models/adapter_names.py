"""Names of an adapter's tensors: from what trainers call layers to what the authors of Wan do."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

from .weight_names import TRAINER_TOKENS, from_diffusers

# What an adapter holds of a layer, in the words that ComfyUI's own loader knows. Trainers that keep
# several adapters in a model name each (lora_A.default.weight); some leave out ".weight".
END = r"(?:\.(?!bias$)\w+)??(?:\.weight)?$"
PARTS = (
    *((rf"lora_{factor}{END}", f"lora_{factor}.weight") for factor in "AB"),
    *(
        (rf"(?:lora_|lora\.|lora_linear_layer\.){factor}{END}", f"lora_{factor}.weight")
        for factor in ("down", "up")
    ),
    *(
        (f"{part}$", part)
        for part in (
            *("lokr_w1", "lokr_w2", "lokr_w1_a", "lokr_w1_b", "lokr_w2_a", "lokr_w2_b"),
            *("hada_w1_a", "hada_w1_b", "hada_w2_a", "hada_w2_b"),
            *("alpha", "dora_scale", "diff", "diff_b"),
        )
    ),
)
FORMS = [(re.compile(r"(?P<layer>.+?)\." + form), part) for form, part in PARTS]
# kohya's and LyCORIS' names have underscores for dots
FLAT = re.compile(r"^(?:lora_unet|lora_transformer|lycoris)_+")
# what may stand before a layer's name: the video model itself, however it was wrapped; never a
# text encoder or a critic that was trained beside it
BEFORE = {
    *("base_model", "model", "diffusion_model", "transformer", "generator", "module", "net"),
    *("network", "unet", "dit", "pipe", "wan", "denoiser"),
}
# of those one before the other, and of the parts of any name: a file may have thousands
MOST_BEFORE, MOST_PARTS = 6, 20
# a model of 40 blocks has two thousand for ten modules in each
MOST_TENSORS = 1 << 14
# names that are asked for their kind, which takes long
ASKED = 100
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
    stored = list(stored)
    if len(stored) > MOST_TENSORS:
        raise ValueError(f"a LoRA must have at most {MOST_TENSORS} tensors, got {len(stored)}")
    flat = {module.replace(".", "_"): module for module in known}
    found: dict[tuple[str, str], AdapterName] = {}
    strange: list[str] = []
    for at in stored:
        layer, part = _divided(at)
        module = None if layer is None else _module_of(layer, known, flat)
        if module is not None:
            if (module, part) in found:
                raise ValueError(
                    f"a LoRA must name each layer once, got {found[module, part].at} and {at}"
                )
            found[module, part] = AdapterName(module, part, at)
        elif layer is None or not IMAGE.search(layer):
            strange.append(at)
    owners = _owners(known)
    kinds = sorted({kind for at in strange[:ASKED] if (kind := _unknown_kind(at, owners, flat))})
    if kinds:
        raise ValueError(
            "a LoRA must be of a kind that is read (LoRA, DoRA, LoKr, LoHa, diff), got "
            f"{', '.join(kinds[:3])} for layers of this model; use another version of the file"
        )
    if strange or not found:
        raise ValueError(
            f"a LoRA must be for this model, got {len(found)} tensors for it and {len(strange)} "
            f"others: {', '.join(sorted(strange)[:3]) or 'layers of an image-to-video model'}; is "
            "it of another model?"
        )
    return list(found.values())


def _module_of(layer: str, known: Collection[str], flat: Mapping[str, str]) -> str | None:
    """Find the module that an adapter calls ``layer``."""
    if FLAT.match(layer):
        return flat.get(FLAT.sub("", layer))
    parts = layer.split(".")
    if len(parts) > MOST_PARTS:
        return None
    for i in range(min(len(parts), MOST_BEFORE + 1)):
        tail = from_diffusers(".".join(parts[i:]) + ".").removesuffix(".")
        if tail in known:
            return tail
        if parts[i] not in BEFORE:
            return None
    return None


def _owners(known: Collection[str]) -> set[str]:
    """Return modules and the blocks they are in, which own a modulation."""
    blocks = {".".join(module.split(".")[:2]) for module in known if module.startswith("blocks.")}
    return {*known, *blocks, "head"}


def _unknown_kind(at: str, known: Collection[str], flat: Mapping[str, str]) -> str | None:
    """Return what a tensor calls its kind if a module of the model stands before it."""
    parts = _without_tokens(at).split(".")
    for i in range(min(len(parts) - 1, MOST_PARTS), 0, -1):
        if _module_of(".".join(parts[:i]), known, flat):
            kind = ".".join(parts[i:])
            own = (form.fullmatch(f"x.{kind}") for form, _ in FORMS)
            return None if any(match and match["layer"] == "x" for match in own) else kind
    return None


def _without_tokens(at: str) -> str:
    for token in TRAINER_TOKENS:
        at = at.replace(token, "")
    return at


def _divided(at: str) -> tuple[str | None, str]:
    """Divide a name into (layer, part of it); None if it is of no part that is known."""
    plain = _without_tokens(at)
    for form, part in FORMS:
        match = form.match(plain)
        if match:
            return match["layer"], part
    return None, plain
