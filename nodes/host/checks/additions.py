"""What other nodes lay on a model. What is not known to be right with a memory is told by name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import comfy.utils
from comfy.model_patcher import ModelPatcher
from torch import Tensor, nn

# names under which others put what answers from a cache instead of the model
SKIPS_FORWARDS = ("easycache", "lazycache", "teacache", "magcache", "fbcache", "firstblock")
# parts of the model that others replace to skip calls, or to attend in a way of their own
REPLACES_FORWARDS = ("forward", "_forward", "forward_orig", "self_attn", "self_attn.forward")
GUIDES = (
    *("sampler_cfg_function", "sampler_pre_cfg_function", "sampler_post_cfg_function"),
    "sampler_calc_cond_batch_function",
)
# keys of a model's options that change nothing of a rollout, or are taken away from our clone
OPTIONS = {
    *("transformer_options", "disable_cfg1_optimization", "torch_compile_kwargs"),
    *("multigpu_clones", "multigpu_options"),
}
TRANSFORMER_OPTIONS = {"optimized_attention_override", "wrappers", "callbacks", "ar_config"}
WRAPPERS = {"torch.compile"}
# parts that a patch may stand for: looked at elsewhere, or reading no more than the text
PARTS = {"model_sampling", "manual_cast_dtype"}
TEXT_ATTENTION = "cross_attn.forward"
COMPILED = "OptimizedModule"
CALLED = {
    "context_handler": "context windows",
    "denoise_mask_function": "a function of denoise masks (Differential Diffusion)",
    "patches_replace": "replaced blocks",
    "bypass_lora": "a LoRA in bypass mode",
}


def additions(model: ModelPatcher) -> Iterator[str]:
    """Yield, as sentences, what a rollout with a model would be wrong with."""
    hinders = [*_skipping(model), *_replacing(model)]
    if hinders:
        yield (
            f"model must run every step, got {', '.join(hinders)} on it; take it away: a skipped "
            "step would leave a hole in the memory"
        )
    guides = [name for name in GUIDES if model.model_options.get(name)]
    if guides:
        yield (
            f"model must be sampled without guidance (CFG 1), got {', '.join(guides)} on it; take "
            "the guidance node away: autoregressive models were distilled without it"
        )
    if _inner(model).get("rope_options"):
        yield (
            "model must have its own positions, got RoPE options on it; take that node away: the "
            "cache method decides where kept frames stand"
        )
    unknown = sorted({CALLED.get(name, name) for name in _unknown(model)})
    if unknown:
        yield (
            f"model must carry only what is known to be right with a memory of the past, got "
            f"{', '.join(unknown)} on it; take the node away that adds it"
        )


def _inner(model: ModelPatcher) -> Mapping[str, Any]:
    return model.model_options.get("transformer_options", {})


def _skipping(model: ModelPatcher) -> Iterable[str]:
    found = sorted(key for key in _wrappers(model) if _skips(key))
    yield from found
    if not found:
        yield from sorted(key for key in _inner(model) if _skips(key))
    if "model_function_wrapper" in model.model_options:
        yield "a wrapper around the model's forward"


def _skips(name: str) -> bool:
    return any(word in name.lower() for word in SKIPS_FORWARDS)


def _wrappers(model: ModelPatcher) -> set[str]:
    """Return the keys of wrappers, on the model and in its options; one without a key by kind."""
    both = (model.wrappers, _inner(model).get("wrappers") or {})
    return {
        str(key) if key else f"a wrapper of {kind} ({_maker(wrappers[0])})"
        for one in both
        for kind, by_key in one.items()
        for key, wrappers in by_key.items()
        if wrappers
    }


def _maker(wrapper: object) -> str:
    return getattr(wrapper, "__qualname__", type(wrapper).__name__).partition(".")[0]


def _replacing(model: ModelPatcher) -> Iterable[str]:
    for name in sorted(model.object_patches):
        part = _part(name)
        if name != part and part in REPLACES_FORWARDS and not _compiled(model, name):
            yield f"a patch of {name}"
            return  # one of thirty blocks tells
    for index, block in enumerate(model.model.diffusion_model.blocks):
        if not has_own_forward(block.self_attn):
            yield f"another forward in place in block {index}'s self-attention"
            return


def has_own_forward(module: nn.Module) -> bool:
    """Say whether a module of the host's Wan runs the host's own code, patched nowhere in place.

    A host leaves the class's own method on the instance after a patch is taken off.
    """
    own = type(module).forward
    here = vars(module).get("forward")
    of_host = own.__module__.startswith("comfy.ldm.wan.")
    named = own.__qualname__ == f"{type(module).__name__}.forward"
    return of_host and named and (here is None or getattr(here, "__func__", None) is own)


def _part(name: str) -> str:
    """Return what of a network or of a block a patch stands for."""
    part = name.removeprefix("diffusion_model.")
    if part.startswith("blocks."):
        part = part.split(".", 2)[2] if part.count(".") > 1 else "forward"
    return part


def _compiled(model: ModelPatcher, name: str) -> bool:
    """Say whether a patch is the part itself, compiled."""
    patch = model.object_patches[name]
    if type(patch).__name__ != COMPILED:
        return False
    return patch._orig_mod is comfy.utils.get_attr(model.model, name)


def _unknown(model: ModelPatcher) -> Iterator[str]:
    options, inner = model.model_options, _inner(model)
    yield from (name for name, value in options.items() if _any(value) and name not in OPTIONS)
    known = {*TRANSFORMER_OPTIONS, "patches"}
    yield from (name for name, value in inner.items() if _any(value) and name not in known)
    yield from (name for name, value in (inner.get("patches") or {}).items() if value)
    yield from (name for name in inner.get("ar_config") or {} if name != "initial_latent")
    yield from (key for key in _wrappers(model) if key not in WRAPPERS)
    for name in model.object_patches:
        if name not in PARTS and _part(name) != TEXT_ATTENTION and not _compiled(model, name):
            yield f"a patch of {name}"
    yield from (key for key, injections in getattr(model, "injections", {}).items() if injections)
    if getattr(model, "weight_wrapper_patches", None):
        yield "adapters that stand before weights"
    if getattr(model, "hook_patches", None) or getattr(model, "forced_hooks", None):
        yield "hooks that change weights on the way"


def _any(value: Any) -> bool:
    """Say whether there is anything in an option; nodes leave empty ones behind."""
    if isinstance(value, Mapping):
        return any(map(_any, value.values()))
    return isinstance(value, Tensor) or bool(value)
