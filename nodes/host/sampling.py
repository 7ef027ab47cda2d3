"""One video sampled with a ComfyUI model: the rollout inside the host's own sampling chain."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
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
# told every finished chunk; says whether to stop there
Watch = Callable[[FinishedChunk], bool | None]


@dataclass(frozen=True)
class Beside:
    """What the host loads beside the model, and the bytes it works in."""

    model: ModelPatcher
    room: int


@dataclass(frozen=True)
class HostVideo:
    """A video to sample.

    Args:
        request: everything but model and text.
        prompts: names of prompts, and the frames at which they begin.
        conditioning: the host's conditioning of each name.
        given: latent ``[1, C, n, Y, X]`` of first frames, as the host's nodes have it.
        kept: chunks of an earlier run of this video, as the model sees them; ``given`` is in them.
        watch: sees every finished chunk, and says whether to stop after it.
        calls: sees what every call made, newest frame last.
        observe: sees the attention of every call.
        beside: an autoencoder that works beside the model.
    """

    request: VideoRequest
    prompts: PromptSchedule
    conditioning: Mapping[str, list]
    given: Tensor | None = None
    kept: Sequence[Tensor] = ()
    watch: Watch | None = None
    calls: Callable[[Tensor], None] | None = None
    observe: Observer | None = None
    beside: Beside | None = None

    def sample(self, model: ModelPatcher) -> Tensor:
        """Return the latent ``[1, C, F, Y, X]`` as the host's nodes expect it, on the CPU.

        Given frames come out as they came in, bit by bit. It is shorter if a watch stopped it. The
        model given is not changed; what the run needs dies with it.

        Raises:
            ValueError: if the model is not one that can be rolled out, or a prompt not its own.
        """
        clone = patched(model)
        network = clone.get_model_object("diffusion_model")
        check_prompts(self.conditioning.values(), network.text_dim)
        sizes = _Sizes(clone)
        plan = self.request.plan(sizes)
        longest = max(entries[0][0].shape[1] for entries in self.conditioning.values())
        room = plan.bytes + sizes.text_bytes(longest)
        if self.beside is not None:
            room += self.beside.room
            clone.set_additional_models(KEY, [self.beside.model])
        clone.add_wrapper_with_key(
            WrappersMP.PREPARE_SAMPLING, KEY, _reserve(plan.frames_per_chunk, room)
        )
        guider = PromptGuider(clone)
        # what was let through beside the words is not read; a host may stumble over it
        words = {name: [[said[0][0], {}]] for name, said in self.conditioning.items()}
        guider.set_prompts(words)
        request, size = self.request, (self.request.rows, self.request.columns)
        whole = torch.empty(1, network.in_dim, request.clock.total_frames, *size)
        # the host copies what it is given several times: one frame, not a video of minutes
        empty = torch.zeros(1, network.in_dim, 1, *size)
        sigmas = torch.tensor([*(level.sigma for level in request.family.levels), 0.0])
        rollouts = _Rollouts(self, whole)
        guider.sample(empty, empty, rollouts, sigmas, disable_pbar=True, seed=request.seed)
        return rollouts.result(clone)


class _Rollouts(comfy.samplers.Sampler):
    """The host's name for what turns a guider into a latent.

    Args:
        whole: room for the video, the only place where it is as a whole.
        done: frames of it that are finished.
    """

    def __init__(self, video: HostVideo, whole: Tensor):
        self.video, self.whole, self.done = video, whole, 0

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
        with HostBackbone(model_wrap, extra_args, video.calls) as backbone:
            rollout = video.request.rollout(
                backbone, video.prompts, video.observe, batch=1, dense=backbone.dense
            )
            log.info(
                "Head Forcing: caches of %.2f GiB, read by %s",
                *(rollout.bank.plan.bytes / 1024**3, served_by(rollout.bank, rollout.dense)),
            )
            for done in rollout.run(self._given(model_wrap.inner_model)):
                chunk = done.chunk
                self.whole[:, :, chunk.start : chunk.stop] = done.latent
                self.done = chunk.stop
                if video.watch is not None and video.watch(done):
                    break
        return noise

    def result(self, model: ModelPatcher) -> Tensor:
        """Return what is finished as nodes expect it."""
        video, first = self.video, 0
        if video.given is not None:
            first = video.given.shape[2]
            self.whole[:, :, :first] = video.given
        # in place, and a few at a time: a copy of a video of minutes is what nobody has room for
        for frame in range(first, self.done):
            part = self.whole[:, :, frame : frame + 1]
            part.copy_(model.model.process_latent_out(part))
        return self.whole[:, :, : self.done]

    def _given(self, model: Any) -> Tensor | None:
        """Return the frames there are, which lie where they belong in the whole already."""
        at = 0
        if self.video.kept:
            for part in self.video.kept:
                self.whole[:, :, at : at + part.shape[2]] = part
                at += part.shape[2]
        elif self.video.given is not None:
            at = self.video.given.shape[2]
            self.whole[:, :, :at] = model.process_latent_in(self.video.given.float())
        return self.whole[:, :, :at] if at else None


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
