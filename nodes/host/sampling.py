"""One video sampled with a ComfyUI model: the rollout inside the host's own sampling chain."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from math import ceil
from typing import Any

import comfy.model_management
import comfy.samplers
import torch
from comfy.model_base import BaseModel
from comfy.model_patcher import ModelPatcher
from comfy.patcher_extension import WrappersMP
from torch import Tensor

from ...headforcing_core.attention import Observer, served_by
from ...headforcing_core.decoding import PictureRecoder
from ...headforcing_core.generation import VideoRequest
from ...headforcing_core.rollout import Begun, FinishedChunk
from ...headforcing_core.video import Chunk, PromptSchedule
from .attention import KEY, check_patched, patched
from .backbone import HostBackbone, HostSizes, PromptGuider
from .blending import Conditioning, blended
from .checks import check_prompts
from .experts import second_of
from .pictures import HostDecoder
from .recoder import check_recoder, recoder_of

log = logging.getLogger("headforcing")
# told every finished chunk; says whether to stop there
Watch = Callable[[FinishedChunk], bool | None]
# names of prompts, and when they begin; conditioning of each
Said = tuple[PromptSchedule, Conditioning]


@dataclass(frozen=True)
class HostVideo:
    """A video to sample.

    Args:
        request: everything but model and text.
        prompts: names of prompts, and the frames at which they begin.
        conditioning: the host's conditioning of each name.
        given: latent ``[1, C, n, Y, X]`` of first frames, as the host's nodes have it.
        begun: what an earlier run made of this video, as the model sees it; ``given`` is in it.
        watch: sees every finished chunk, and says whether to stop after it.
        calls: sees what every call made, newest frame last.
        observe: sees the attention of every call.
        decoder: an autoencoder that works beside the model.
        steer: asked before every chunk, what is said from it on; None: what was said before. Of
            chunks before it says the same. It may have put the model aside.
    """

    request: VideoRequest
    prompts: PromptSchedule
    conditioning: Conditioning
    given: Tensor | None = None
    begun: Begun | None = None
    watch: Watch | None = None
    calls: Callable[[Tensor], None] | None = None
    observe: Observer | None = None
    decoder: HostDecoder | None = None
    steer: Callable[[Chunk], Said | None] | None = None

    def sample(self, model: ModelPatcher) -> Tensor:
        """Return the latent ``[1, C, F, Y, X]`` as the host's nodes expect it, on the CPU.

        Given frames come out as they came in, bit by bit. It is shorter if a watch stopped it. The
        model given is not changed; what the run needs dies with it.

        Raises:
            ValueError: if the model is not one that can be rolled out, or a prompt not its own.
        """
        check_recoder(self.request, self.decoder)
        clone = patched(model)
        network = clone.get_model_object("diffusion_model")
        check_prompts(self.conditioning.values(), network.text_dim)
        request, size = self.request, (self.request.rows, self.request.columns)
        schedule, said = blended(request, self.prompts, self.conditioning)
        _leave_other_devices(clone)
        self._load_beside(clone, said)
        guider = PromptGuider(clone)
        guider.set_prompts(said)
        whole = torch.empty(1, network.in_dim, request.clock.total_frames, *size)
        # the host copies what it is given several times: one frame, not a video of minutes
        empty = torch.zeros(1, network.in_dim, 1, *size)
        sigmas = torch.tensor([*(level.sigma for level in request.family.levels), 0.0])
        rollouts = _Rollouts(self, schedule, whole)
        guider.sample(empty, empty, rollouts, sigmas, disable_pbar=True, seed=request.seed)
        return rollouts.result(clone)

    def _load_beside(self, clone: ModelPatcher, said: Conditioning) -> None:
        """Have the host load what works beside a model, and keep room for what a run needs."""
        request, sizes, second = self.request, HostSizes(clone), second_of(clone)
        longest = max(entries[0][0].shape[1] for entries in said.values())
        room = request.plan(sizes).on(clone.load_device).bytes
        room += sizes.text_bytes(longest) * (1 if second is None else 2)
        others = [] if second is None else [second]
        if self.decoder is not None:
            shape = (1, sizes.config.in_dim, 1, request.rows, request.columns)
            # where pictures are encoded, they are decoded for that, beside those that are shown
            room += self.decoder.room(shape) * (2 if request.recodes else 1)
            others.append(self.decoder.vae.patcher)
        if others:
            clone.set_additional_models(KEY, others)
        family = request.family
        together = len(family.levels) if family.joint else 1
        prepare = _reserve(together * family.frames_per_chunk, room)
        clone.add_wrapper_with_key(WrappersMP.PREPARE_SAMPLING, KEY, prepare)


class _Rollouts(comfy.samplers.Sampler):
    """The host's name for what turns a guider into a latent.

    Args:
        prompts: names of prompts, those that lie between others too.
        whole: room for the video, the only place where it is as a whole.
        done: frames of it that are finished.
    """

    def __init__(self, video: HostVideo, prompts: PromptSchedule, whole: Tensor):
        self.video, self.prompts, self.whole, self.done = video, prompts, whole, 0

    def sample(
        self,
        model_wrap: PromptGuider,
        sigmas: Tensor,
        extra_args: dict[str, Any],
        callback: object,
        noise: Tensor,
        empty: Tensor,
        *rest: object,
        **options: object,
    ) -> Tensor:
        video, model = self.video, model_wrap.inner_model

        with HostBackbone(model_wrap, extra_args, video.calls) as backbone:

            def steer(chunk: Chunk) -> PromptSchedule | None:
                said = video.steer and video.steer(chunk)
                if said is None:
                    return None
                schedule, words = blended(video.request, *said)
                model_wrap.say(words, noise, empty)
                check_patched(model_wrap.model_patcher)
                backbone.run.forget_text()
                return schedule

            rollout = video.request.rollout(
                *(backbone, self.prompts, video.observe),
                batch=1,
                dense=backbone.dense,
                recoder=self._recoder(model),
                mix=None,
                steer=steer,
            )
            log.info(
                "Head Forcing: caches of %.2f GiB, read by %s",
                *(rollout.bank.plan.bytes / 1024**3, served_by(rollout.bank, backbone.dense)),
            )
            for done in rollout.run(self._begun(model)):
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

    def _recoder(self, model: BaseModel) -> PictureRecoder | None:
        request = self.video.request
        if not request.recodes:
            return None
        return recoder_of(self.video.decoder, model, request.fitted_method.rebuilt.frames)

    def _begun(self, model: BaseModel) -> Begun | None:
        """Return the frames there are, which lie where they belong in the whole already."""
        begun, given = self.video.begun, self.video.given
        if begun is None and given is not None:
            begun = Begun(model.process_latent_in(given.float()))
        if begun is None:
            return None
        there = self.whole[:, :, : begun.frames.shape[2]]
        there.copy_(begun.frames)
        return begun._replace(frames=there)


def _leave_other_devices(clone: ModelPatcher) -> None:
    """Have the host take a model from where another clone of it was loaded.

    A node of the host's sends a clone to another device; the weights would stay where they are.
    """
    host = comfy.model_management
    for loaded in list(host.current_loaded_models):
        elsewhere = loaded.device != clone.load_device
        if elsewhere and loaded.model is not None and clone.is_clone(loaded.model):
            others = [one for one in host.current_loaded_models if one is not loaded]
            host.free_memory(1e30, loaded.device, others)


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
