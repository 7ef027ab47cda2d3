"""What a model, prompts and first frames must be, or a rollout with them would be wrong."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from comfy.ldm.wan.model import WanModel
from comfy.model_patcher import ModelPatcher
from torch import Tensor

# names under which others put what answers from a cache instead of the model
SKIPS_FORWARDS = ("easycache", "lazycache", "teacache", "magcache", "fbcache", "firstblock")
# parts of the model that others replace to skip calls, or to attend in a way of their own
REPLACES_FORWARDS = ("forward", "_forward", "forward_orig", "self_attn", "self_attn.forward")
GUIDES = (
    "sampler_cfg_function",
    "sampler_pre_cfg_function",
    "sampler_post_cfg_function",
    "sampler_calc_cond_batch_function",
)
# what nodes add to a prompt, of the whole video's size or for models of another kind
ADDED = {
    "control": "a ControlNet",
    "area": "an area",
    "mask": "a mask",
    "concat_latent_image": "a start image of an image-to-video model",
    "clip_vision_output": "a CLIP vision image",
    "reference_latents": "a reference image",
    "vace_frames": "VACE frames",
    "hooks": "a hook that changes weights on the way",
}


def check_model(model: ModelPatcher) -> None:
    """Refuse a model that no rollout of ours can be made with.

    Raises:
        ValueError: if it is no Wan 2.1 text-to-video model; if something on it skips or replaces
            forwards, after which caches would lack frames; if it is to be guided.
    """
    network = model.get_model_object("diffusion_model")
    if not isinstance(network, WanModel) or getattr(network, "model_type", "t2v") != "t2v":
        kind = getattr(network, "model_type", type(network).__name__)
        raise ValueError(
            f"model must be a Wan 2.1 text-to-video model, got {kind}; load one with Load AR Model"
        )
    hinders = [*_skipping(model), *_replacing(model)]
    if hinders:
        raise ValueError(
            f"model must run every step, got {', '.join(hinders)} on it; take it away: a skipped "
            "step would leave a hole in the memory"
        )
    options = model.model_options
    guides = [name for name in GUIDES if options.get(name)]
    if guides:
        raise ValueError(
            f"model must be sampled without guidance (CFG 1), got {', '.join(guides)} on it; take "
            "the guidance node away: autoregressive models were distilled without it"
        )
    if options.get("transformer_options", {}).get("rope_options"):
        raise ValueError(
            "model must have its own positions, got RoPE options on it; take that node away: the "
            "cache method decides where kept frames stand"
        )


def _skipping(model: ModelPatcher) -> Iterable[str]:
    keys = {str(key) for by_key in model.wrappers.values() for key in by_key}
    yield from sorted(k for k in keys if any(word in k.lower() for word in SKIPS_FORWARDS))
    if "model_function_wrapper" in model.model_options:
        yield "a wrapper around the model's forward"


def _replacing(model: ModelPatcher) -> Iterable[str]:
    for name in sorted(model.object_patches):
        part = name.removeprefix("diffusion_model.")
        if part.startswith("blocks."):
            part = part.split(".", 2)[2] if part.count(".") > 1 else "forward"
        if name != part and part in REPLACES_FORWARDS:
            yield f"a patch of {name}"
            return  # one of thirty blocks tells


def check_prompts(conditioning: Mapping[str, list], text_dim: int) -> None:
    """Refuse conditionings that are not one plain prompt each, encoded for this model.

    Raises:
        ValueError: which prompt, and what must hold.
    """
    for entries in conditioning.values():
        if len(entries) != 1:
            raise ValueError(
                f"a prompt must be one conditioning, got {len(entries)} combined; put them after "
                "each other with Prompt Schedule"
            )
        ((text, options),) = entries
        if text.ndim != 3 or text.shape[0] != 1 or text.shape[2] != text_dim:
            raise ValueError(
                f"a prompt must come from the model's own text encoder, [1, tokens, {text_dim}], "
                f"got {list(text.shape)}; for Wan 2.1 that is umt5_xxl, loaded as type wan"
            )
        added = [said for name, said in ADDED.items() if options.get(name) is not None]
        if added:
            raise ValueError(
                f"a prompt must be words alone, got {', '.join(added)} with it; pictures go to "
                "the sampler's start, LoRAs to the model"
            )


def check_start(given: Mapping[str, Tensor] | None, channels: int) -> Tensor | None:
    """Return the latent of first frames, ``[1, C, n, Y, X]``, None if there are none.

    Raises:
        ValueError: if it is not the latent of one video of this model, or is empty or masked.
    """
    if given is None:
        return None
    latent = given["samples"]
    if latent.ndim != 5 or latent.shape[:2] != (1, channels):
        raise ValueError(
            f"start must be the latent of one video of this model, [1, {channels}, F, Y, X], "
            f"got {list(latent.shape)}"
        )
    if given.get("noise_mask") is not None:
        raise ValueError("start must be kept whole, got a noise mask with it; take the mask away")
    if not torch.any(latent):
        raise ValueError(
            "start must be the latent of pictures, got an empty one; connect it to size, which "
            "takes only its size and length"
        )
    if not torch.isfinite(latent).all():
        raise ValueError("start must hold finite numbers, got NaN or infinity")
    return latent
