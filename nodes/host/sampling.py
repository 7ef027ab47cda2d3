"""One video sampled with a ComfyUI model: the rollout inside the host's own sampling chain."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import ceil
from typing import Any

import comfy.samplers
import torch
from comfy.model_patcher import ModelPatcher
from comfy.patcher_extension import WrappersMP
from torch import Tensor

from ...headforcing_core.attention import Observer, served_by
from ...headforcing_core.generation import VideoRequest
from ...headforcing_core.rollout import FinishedChunk
from ...headforcing_core.video import PromptSchedule
from .attention import KEY, patched
from .backbone import HostBackbone, PromptGuider, config_of, dtype_of
from .checks import check_prompts

log = logging.getLogger("headforcing")
Watch = Callable[[FinishedChunk], None]


@dataclass(frozen=True)
class HostVideo:
    """A video to sample.

    Args:
        request: everything but model and text.
        prompts: names of prompts, and the frames at which they begin.
        conditioning: the host's conditioning of each name.
        given: latent ``[B, C, n, Y, X]`` of first frames, as the host's nodes have it.
        watch: sees every finished chunk.
        calls: sees what every call made, newest frame last.
        observe: sees the attention of every call.
    """

    request: VideoRequest
    prompts: PromptSchedule
    conditioning: Mapping[str, list]
    given: Tensor | None = None
    watch: Watch | None = None
    calls: Callable[[Tensor], None] | None = None
    observe: Observer | None = None

    def sample(self, model: ModelPatcher) -> Tensor:
        """Return the latent ``[B, C, F, Y, X]`` as the host's nodes expect it.

        The model given is not changed; what the run needs dies with it.

        Raises:
            ValueError: if the model is not one that can be rolled out, or a prompt not its own.
        """
        clone = patched(model)
        network = clone.get_model_object("diffusion_model")
        check_prompts(self.conditioning.values(), network.text_dim)
        sizes = _Sizes(clone)
        plan = self.request.plan(sizes)
        longest = max(entries[0][0].shape[1] for entries in self.conditioning.values())
        reserve = _reserve(plan.frames_per_chunk, plan.bytes + sizes.text_bytes(longest))
        clone.add_wrapper_with_key(WrappersMP.PREPARE_SAMPLING, KEY, reserve)
        guider = PromptGuider(clone)
        # what was let through beside the words is not read; a host may stumble over it
        words = {name: [[said[0][0], {}]] for name, said in self.conditioning.items()}
        guider.set_prompts(words)
        request, channels = self.request, network.in_dim
        shape = (1, channels, request.clock.total_frames, request.rows, request.columns)
        empty = torch.zeros(shape)
        sigmas = torch.tensor([*(level.sigma for level in request.family.levels), 0.0])
        return guider.sample(
            empty, empty, _Rollouts(self), sigmas, disable_pbar=True, seed=request.seed
        )


class _Rollouts(comfy.samplers.Sampler):
    """The host's name for what turns a guider into a latent."""

    def __init__(self, video: HostVideo):
        self.video = video

    def sample(
        self,
        model_wrap: PromptGuider,
        sigmas: Tensor,
        extra_args: dict[str, Any],
        callback: object,
        noise: Tensor,
        *rest: object,
        **options: object,
    ) -> Tensor:
        video = self.video
        given = video.given
        if given is not None:
            given = model_wrap.inner_model.process_latent_in(given.float())
        with HostBackbone(model_wrap, extra_args, video.calls) as backbone:
            rollout = video.request.rollout(
                backbone, video.prompts, video.observe, batch=1, dense=backbone.dense
            )
            log.info(
                "Head Forcing: caches of %.2f GiB, read by %s",
                *(rollout.bank.plan.bytes / 1024**3, served_by(rollout.bank, rollout.dense)),
            )
            chunks = []
            for done in rollout.run(given):
                chunks.append(done.latent)
                if video.watch is not None:
                    video.watch(done)
        return torch.cat(chunks, 2)


class _Sizes:
    """What a plan must know of a model that is not loaded yet."""

    def __init__(self, model: ModelPatcher):
        self.config = config_of(model.get_model_object("diffusion_model"))
        self.dtype = dtype_of(model)

    def text_bytes(self, tokens: int) -> int:
        """Return the bytes of a prompt's keys and values in every layer."""
        return 2 * self.config.layers * tokens * self.config.dim * self.dtype.itemsize


def _reserve(frames: int, kept: int) -> Callable[..., Any]:
    """Let the host keep room for some frames and so many bytes, not for the whole video."""

    def prepare(executor: Any, model: ModelPatcher, noise_shape: Any, conds: Any, *rest, **options):
        shape = list(noise_shape)
        # the model's own: a patcher of newer hosts adds to it what the host does not count here
        one, two = (model.model.memory_required([*shape[:2], n, *shape[3:]]) for n in (1, 2))
        # what the host asks for grows with frames in a straight line
        shape[2] = frames + ceil(kept / max(1, two - one))
        return executor(model, shape, conds, *rest, **options)

    return prepare
