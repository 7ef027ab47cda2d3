"""A ComfyUI model as the rollout's backbone, for the time of one sampling run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import comfy.model_management
import comfy.sampler_helpers
import torch
from comfy.model_patcher import ModelPatcher
from comfy.samplers import CFGGuider, process_conds, sampling_function
from torch import Tensor

from ...headforcing_core.models import Attend, WanConfig
from ...headforcing_core.video import CLEAN, NoiseLevel, remove_flow
from .attention import KEY, Run
from .checks import GivesClean
from .experts import second_of
from .users_attention import chosen_attention


class PromptGuider(CFGGuider):
    """Several positive prompts, one of which rules each call; no guidance.

    remembering: the next call is one of the second model's.
    """

    current = ""
    remembering = False

    def set_prompts(self, prompts: dict[str, list]) -> None:
        self.inner_set_conds(prompts)

    def say(self, prompts: Mapping[str, list], noise: Tensor, empty: Tensor) -> None:
        """Take other prompts while the model is sampled.

        The model is loaded again: for what encoded them the host may have put it aside, and with it
        what lies on it.

        Args:
            noise, empty: as the sampler was given them.
        """
        said = {name: comfy.sampler_helpers.convert_cond(prompts[name]) for name in prompts}
        _, said, self.loaded_models = comfy.sampler_helpers.prepare_sampling(
            self.model_patcher, noise.shape, said, self.model_options
        )
        self.conds = process_conds(self.inner_model, noise, said, noise.device, empty)

    def predict_noise(
        self, x: Tensor, timestep: Tensor, model_options: dict | None = None, seed: Any = None
    ) -> Tensor:
        model, options = self.inner_model, model_options or {}
        if self.remembering:
            second = second_of(self.model_patcher)
            model, options = second.model, _options_of(second, options)
        return sampling_function(
            *(model, x, timestep, None, self.conds[self.current], 1.0),
            model_options=options,
            seed=seed,
        )


def _options_of(second: ModelPatcher, options: dict) -> dict:
    """Return options of a run for the second model: what wraps the first one's calls is its own."""
    inner = {**options["transformer_options"], "wrappers": second.wrappers}
    return {**options, "transformer_options": inner}


class HostBackbone:
    """Calls the host's model chunk by chunk; a second one, if there is, with all that is clean.

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
        self.second = second_of(guider.model_patcher)
        options = extra_args["model_options"]["transformer_options"]
        self.dense = chosen_attention(base.diffusion_model, options)

    def __enter__(self) -> HostBackbone:
        self.extra_args["model_options"]["transformer_options"][KEY] = self.run
        if self.second is not None:
            self.second.pre_run()
        return self

    def __exit__(self, *error: object) -> None:
        self.extra_args["model_options"]["transformer_options"].pop(KEY, None)
        self.run.end()
        if self.second is not None:
            self.second.cleanup()

    @staticmethod
    def prepare_text(text: str) -> str:
        """Return the name of a prompt, by which the guider knows it."""
        return text

    def predict_clean(
        self,
        noisy: Tensor,
        level: NoiseLevel | Sequence[NoiseLevel],
        text: str,
        attend: Attend,
    ) -> Tensor:
        """See ``Backbone``; ``text`` is the name of a prompt of the guider."""
        comfy.model_management.throw_exception_if_processing_interrupted()
        levels = [level] if isinstance(level, NoiseLevel) else level
        self.run.call(attend, [each.timestep for each in levels], text)
        self.guider.current = text
        clean = all(each == CLEAN for each in levels)
        self.guider.remembering = self.second is not None and clean
        if len(levels) == 1:
            clean = self._called(noisy, levels[0].sigma)
        else:
            clean = self._called_by_frame(noisy, levels)
        if self.watch is not None:
            self.watch(clean)
        return clean

    def _called(self, noisy: Tensor, sigma: float) -> Tensor:
        sigmas = noisy.new_full((noisy.shape[0],), sigma)
        return self.guider(noisy, sigmas, **self.extra_args).float()

    def _called_by_frame(self, noisy: Tensor, levels: Sequence[NoiseLevel]) -> Tensor:
        """Call the model on frames that are not equally noisy.

        The host reads the clean latent out of the flow with one level for all. What it gives with
        the noisiest says what the flow was.
        """
        sigma = max(level.sigma for level in levels)
        clean = self._called(noisy, sigma)
        if isinstance(self.guider.inner_model.model_sampling, GivesClean) or not sigma:
            return clean
        return remove_flow(noisy, (noisy - clean) / sigma, levels)


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


class HostSizes:
    """What a plan must know of the host's model, which need not be loaded yet."""

    def __init__(self, model: ModelPatcher):
        self.config = config_of(model.get_model_object("diffusion_model"))
        self.dtype = dtype_of(model)

    def text_bytes(self, tokens: int) -> int:
        """Return the bytes of a prompt's keys and values in every layer."""
        return 2 * self.config.layers * tokens * self.config.dim * self.dtype.itemsize
