"""Parameter names: from what a file calls them to what the authors of Wan call them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

ROOT = "patch_embedding.weight"
TRAINER_TOKENS = ("_fsdp_wrapped_module.", "_checkpoint_wrapped_module.", "_orig_mod.")
# what all-in-one checkpoints hold beside the video model
COMPANIONS = ("first_stage_model.", "text_encoders.", "cond_stage_model.", "vae.", "conditioner.")
# under which a second model of a file stands (SGF+), and how its authors mark its names: the first
# part of what belongs to no block, the last part of what does
MEMORY, MARK = "memory.", "memory_"
MARKED = tuple(
    f"{MARK}{module}."
    for module in ("patch_embedding", "text_embedding", "time_embedding", "time_projection", "head")
)

DIFFUSERS = (
    (r"^condition_embedder\.time_embedder\.linear_1\.", "time_embedding.0."),
    (r"^condition_embedder\.time_embedder\.linear_2\.", "time_embedding.2."),
    (r"^condition_embedder\.text_embedder\.linear_1\.", "text_embedding.0."),
    (r"^condition_embedder\.text_embedder\.linear_2\.", "text_embedding.2."),
    (r"^condition_embedder\.time_proj\.", "time_projection.1."),
    (r"^scale_shift_table$", "head.modulation"),
    (r"^proj_out\.", "head.head."),
    (r"\.scale_shift_table$", ".modulation"),
    (r"\.ffn\.net\.0\.proj\.", ".ffn.0."),
    (r"\.ffn\.net\.2\.", ".ffn.2."),
    (r"\.norm2\.", ".norm3."),
    (r"\.attn1\.", ".self_attn."),
    (r"\.attn2\.", ".cross_attn."),
    (r"\.to_([qkv])\.", r".\1."),
    (r"\.to_out\.0\.", ".o."),
)


def wan_names(stored: Mapping[str, object]) -> dict[str, str]:
    """Map the authors' parameter names to the names under which a file stores them.

    Those of a second model that remembers are the same behind ``memory.``.

    Raises:
        ValueError: if the file holds no Wan video model, saying what it seems to be.
    """
    clean = _unique((_without_tokens(name), name) for name in stored)
    roots = [name for name in clean if name == ROOT or name.endswith("." + ROOT)]
    if not roots:
        raise ValueError(f"the file must hold a Wan video model, but it {_what_it_is(clean)}")
    if len(roots) > 1:
        raise ValueError(f"the file must hold one model, got {len(roots)}: {sorted(roots)[:3]}")
    prefix = roots[0].removesuffix(ROOT)
    inside = _unique(
        (name.removeprefix(prefix), at)
        for name, at in clean.items()
        if name.startswith(prefix) or not name.startswith(COMPANIONS)
    )
    if any(name.startswith("condition_embedder.") for name in inside):
        inside = _unique((from_diffusers(name), at) for name, at in inside.items())
    return _unique((_behind_memory(name), at) for name, at in inside.items())


def memory_name(name: str) -> str:
    """Return what a second model's authors call a parameter: ``blocks.0.ffn.0.memory_weight``."""
    module, _, kind = name.rpartition(".")
    return f"{module}.{MARK}{kind}" if name.startswith("blocks.") else MARK + name


def _behind_memory(name: str) -> str:
    module, _, kind = name.rpartition(".")
    if name.startswith(MARKED):
        return MEMORY + name.removeprefix(MARK)
    if module.startswith("blocks.") and kind.startswith(MARK):
        return f"{MEMORY}{module}.{kind.removeprefix(MARK)}"
    return name


def _unique(names: Iterable[tuple[str, str]]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, at in names:
        if name in found:
            raise ValueError(f"the file must hold each weight once, got {found[name]} and {at}")
        found[name] = at
    return found


def _without_tokens(name: str) -> str:
    for token in TRAINER_TOKENS:
        name = name.replace(token, "")
    return name


def from_diffusers(name: str) -> str:
    """Return the authors' name of a diffusers parameter; other names pass unchanged."""
    for pattern, replacement in DIFFUSERS:
        name = re.sub(pattern, replacement, name)
    return name


def _what_it_is(names: Mapping[str, object]) -> str:
    joined = "\n".join(names)
    for pattern, kind in (
        (r"lora_|lokr_|hada_|\.diff\b", "holds a LoRA; give the base model, and this as the LoRA"),
        (r"token_embedding|^shared\.|self_attn\.k_proj", "holds a text or image encoder"),
        (r"^(decoder|encoder)\.|first_stage_model", "holds a VAE; give the video model instead"),
        (r"double_blocks|transformer_blocks|joint_blocks", "holds a model of another kind"),
    ):
        if re.search(pattern, joined, re.MULTILINE):
            return kind
    return f"has no {ROOT} among its {len(names)} tensors"
