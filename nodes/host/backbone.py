"""A ComfyUI model as the rollout's backbone, for the time of one sampling run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import comfy.model_management
import torch
from comfy.model_patcher import ModelPatcher
from comfy.samplers import CFGGuider, sampling_function
from torch import Tensor

from ...headforcing_core.models import Attend, WanConfig
from ...headforcing_core.video import NoiseLevel
from .attention import KEY, Run
from .users_attention import chosen_attention


class PromptGuider(CFGGuider):
    """Several positive prompts, one of which rules each call; no guidance."""

    current = ""

    def set_prompts(self, prompts: dict[str, list]) -> None:
        self.inner_set_conds(prompts)

    def predict_noise(
        self, x: Tensor, timestep: Tensor, model_options: dict | None = None, seed: Any = None
    ) -> Tensor:
        return sampling_function(
            self.inner_model,
            x,
            timestep,
            None,
            self.conds[self.current],
            1.0,
            model_options=model_options or {},
            seed=seed,
        )


class HostBackbone:
    """Calls the host's model chunk by chunk.

    Args:
        guider: sampling, its model loaded.
        extra_args: what the host passes to every call.
        watch: is told, after every call, what it made.
    """

    def __init__(
        self,
        guider: PromptGuider,
        extra_args: dict[str, Any],
        watch: Callable[[Tensor], None] | None = None,
    ):
        self.guider, self.extra_args, self.watch = guider, extra_args, watch
        self.run = Run()
        base = guider.inner_model
        self.config = config_of(base.diffusion_model)
        self.dtype = dtype_of(guider.model_patcher)
        self.device = guider.model_patcher.load_device
        options = extra_args["model_options"]["transformer_options"]
        self.dense = chosen_attention(base.diffusion_model, options)

    def __enter__(self) -> HostBackbone:
        self.extra_args["model_options"]["transformer_options"][KEY] = self.run
        return self

    def __exit__(self, *error: object) -> None:
        self.extra_args["model_options"]["transformer_options"].pop(KEY, None)
        self.run.end()

    @staticmethod
    def prepare_text(text: str) -> str:
        """Return the name of a prompt, by which the guider knows it."""
        return text

    def predict_clean(self, noisy: Tensor, level: NoiseLevel, text: str, attend: Attend) -> Tensor:
        """See ``Backbone``; ``text`` is the name of a prompt of the guider."""
        comfy.model_management.throw_exception_if_processing_interrupted()
        self.run.call(attend, level.timestep, text)
        self.guider.current = text
        sigma = noisy.new_full((noisy.shape[0],), level.sigma)
        clean = self.guider(noisy, sigma, **self.extra_args).float()
        if self.watch is not None:
            self.watch(clean)
        return clean


def dtype_of(model: ModelPatcher) -> torch.dtype:
    """Return what the host computes in, as a node may have set it; weights may be kept in less."""
    return model.get_model_object("manual_cast_dtype") or model.model.get_dtype()


def config_of(network: torch.nn.Module) -> WanConfig:
    """Read the sizes of the host's Wan module."""
    return WanConfig(
        dim=network.dim,
        ffn_dim=network.ffn_dim,
        freq_dim=network.freq_dim,
        text_dim=network.text_dim,
        in_dim=network.in_dim,
        out_dim=network.out_dim,
        heads=network.num_heads,
        layers=network.num_layers,
        patch=tuple(network.patch_size),
        eps=network.eps,
    )
