"""The demo's text encoder as the host's CLIP: loaded, moved and patched as any other."""

from __future__ import annotations

import copy

import comfy.model_management
import comfy.sd
from comfy.model_patcher import ModelPatcher

from ...headforcing_core.demo.networks import TextEncoder


class Words(str):
    """A prompt. Nodes for other encoders look for the tokens of each; there are none."""

    def __getitem__(self, key: object) -> str:
        if not isinstance(key, str):
            return super().__getitem__(key)
        raise ValueError(
            "the demo's text encoder takes the words of CLIP Text Encode or Prompt Schedule, got a "
            f"node that wants tokens of {key!r}; use one of those"
        )

    def __setitem__(self, key: str, value: object) -> None:
        self[key]


class Tokens:
    """The demo's words need no tokenizer; nodes that save an encoder ask for one."""

    def tokenize_with_weights(self, text: str, *rest: object, **options: object) -> Words:
        return Words(text)

    def state_dict(self) -> dict:
        return {}


class DemoText(comfy.sd.CLIP):
    """A text encoder behind the methods and fields that nodes use."""

    def __init__(self, encoder: TextEncoder):
        super().__init__(no_init=True)
        self.cond_stage_model = encoder
        self.tokenizer = Tokens()
        self.patcher = ModelPatcher(
            encoder,
            load_device=comfy.model_management.text_encoder_device(),
            offload_device=comfy.model_management.text_encoder_offload_device(),
        )
        self.patcher.is_clip = True
        self.layer_idx, self.use_clip_schedule, self.apply_hooks_to_conds = None, False, None
        self.tokenizer_options = {}

    def clone(self, disable_dynamic: bool = False) -> DemoText:
        clone = copy.copy(self)
        clone.patcher = self.patcher.clone()
        clone.tokenizer_options = dict(self.tokenizer_options)
        return clone

    def clip_layer(self, layer_idx: int) -> None:
        if layer_idx == -1:
            return
        raise ValueError(
            f"the demo's text encoder must be read at its last layer, got {layer_idx}; take CLIP "
            "Set Last Layer away"
        )

    def encode_from_tokens(
        self, tokens: str, return_pooled: bool = False, return_dict: bool = False
    ) -> object:
        comfy.model_management.load_models_gpu([self.patcher])
        cond = self.patcher.model.encode([tokens]).cpu()
        if return_dict:
            return {"cond": cond, "pooled_output": None}
        return (cond, None) if return_pooled else cond

    def encode_from_tokens_scheduled(
        self,
        tokens: str,
        unprojected: bool = False,
        add_dict: dict | None = None,
        **options: object,
    ) -> list:
        if getattr(getattr(self.patcher, "forced_hooks", None), "hooks", None):
            raise ValueError("the demo's text encoder must have no hooks, got some; take them away")
        beside = self.add_hooks_to_dict({"pooled_output": None})
        return [[self.encode_from_tokens(tokens), {**beside, **(add_dict or {})}]]
