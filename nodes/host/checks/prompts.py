"""What a prompt must be: words, encoded for this model, and nothing beside them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor

# what nodes put beside the text, and no Wan model reads
UNREAD = {
    *("pooled_output", "attention_mask", "guidance", "frame_rate", "prompt_type"),
    *("width", "height", "crop_w", "crop_h", "target_width", "target_height", "aesthetic_score"),
    *("reference_latents_method", "cross_attn_controlnet", "pooled_output_controlnet"),
}
# values with which an entry changes nothing
NOTHING = {
    "start_percent": 0.0,
    "end_percent": 1.0,
    "clip_start_percent": 0.0,
    "clip_end_percent": 1.0,
    "strength": 1.0,
}
CALLED = {
    "control": "a ControlNet",
    "area": "an area",
    "mask": "a mask",
    "concat_latent_image": "a start image of an image-to-video model",
    "concat_mask": "a mask of a start image",
    "clip_vision_output": "a CLIP vision image",
    "reference_latents": "a reference image",
    "context_latents": "reference latents in the context",
    "time_dim_concat": "frames put after the video",
    "vace_frames": "VACE frames",
    "audio_embed": "audio",
    "camera_conditions": "a camera path",
    "hooks": "a hook that changes weights on the way",
    "start_percent": "a range of steps",
    "end_percent": "a range of steps",
    "clip_start_percent": "a range of steps",
    "clip_end_percent": "a range of steps",
    "strength": "a strength",
    "default": "the mark of a default prompt",
}


def check_prompts(conditioning: Iterable[list], text_dim: int) -> None:
    """Refuse conditionings that are not one plain prompt each, encoded for this model.

    Raises:
        ValueError: which prompt, and what must hold.
    """
    for entries in conditioning:
        if len(entries) != 1:
            raise ValueError(
                f"a prompt must be one conditioning, got {len(entries)} combined; put them after "
                "each other with Prompt Schedule"
            )
        text, options = _entry(entries[0])
        if text.ndim != 3 or text.shape[0] != 1 or text.shape[2] != text_dim:
            raise ValueError(
                f"a prompt must come from the model's own text encoder, [1, tokens, {text_dim}], "
                f"got {list(text.shape)}; for Wan 2.1 that is umt5_xxl, loaded as type wan"
            )
        if not torch.isfinite(text).all():
            raise ValueError(
                "a prompt must be finite numbers, got NaN or infinity from its text encoder; "
                "encode it anew, in a larger dtype"
            )
        added = list(dict.fromkeys(_added(options)))
        if added:
            raise ValueError(
                f"a prompt must be words alone, got {', '.join(added)} with it; pictures go to "
                "the sampler's start, LoRAs to the model, times to Prompt Schedule"
            )


def _entry(entry: Any) -> tuple[Tensor, Mapping[str, Any]]:
    text, options = [*entry, {}, {}][:2] if isinstance(entry, (list, tuple)) else (entry, {})
    if not isinstance(text, Tensor) or not isinstance(options, Mapping):
        raise ValueError(
            f"a prompt must be what a text encoder gives, got {type(text).__name__}; connect CLIP "
            "Text Encode or Prompt Schedule"
        )
    return text, options


def _added(options: Mapping[str, Any]) -> Iterator[str]:
    for name, value in options.items():
        if name in UNREAD or value is None or value is False:
            continue
        if isinstance(value, (list, tuple, dict, str)) and not value:
            continue
        if name in NOTHING and not isinstance(value, Tensor) and value == NOTHING[name]:
            continue
        yield CALLED.get(name, name)
