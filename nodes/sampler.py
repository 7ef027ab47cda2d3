"""Head Forcing Sampler: a long video, chunk by chunk, from a MODEL and prompts."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field
from pathlib import Path

import comfy.model_management
import comfy.utils
import folder_paths
import latent_preview
import torch
from comfy.model_patcher import ModelPatcher
from comfy_api.latest import io
from torch import Tensor

from ..headforcing_core.families import SUPPORTED, WAN_VIDEO, Family, family_named
from ..headforcing_core.generation import VideoRequest
from ..headforcing_core.head_map import HeadMap
from ..headforcing_core.method import Method
from ..headforcing_core.methods import MethodSettings
from ..headforcing_core.prompt_text import TimedPrompt, schedule_of
from ..headforcing_core.rollout import FinishedChunk
from .host_attention import check_model
from .host_profiling import name_of
from .host_sampling import HostVideo
from .sockets import (
    CATEGORY,
    FAMILY_KEY,
    MAP_KEY,
    CacheMethodSocket,
    EncodedPrompts,
    HeadMapSocket,
    ScheduleSocket,
)

log = logging.getLogger("headforcing")
AUTO = "auto"
MOST_SEED = 0xFFFFFFFFFFFFFFFF


class HeadForcingSampler(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="HeadForcingSampler",
            display_name="Head Forcing Sampler",
            category=CATEGORY,
            description="Make a video of any length chunk by chunk; memory does not grow. "
            "Prompts change on the way. An interrupted run keeps its finished chunks.",
            inputs=[*_video(), *_way()],
            outputs=[io.Latent.Output(tooltip="The whole video, for VAE Decode.")],
        )

    @classmethod
    def execute(
        cls,
        model: ModelPatcher,
        prompts: EncodedPrompts | list,
        seed: int,
        seconds: float,
        width: int,
        height: int,
        family: str,
        steps: str,
        shift: float,
        method: MethodSettings | None = None,
        head_map: HeadMap | None = None,
        start: dict | None = None,
    ) -> io.NodeOutput:
        check_model(model)
        chosen = family_of(model, family).tuned(steps=_steps(steps), shift=shift or None)
        built = None if method is None else method.build(chosen.frames_per_chunk)
        given = None if start is None else start["samples"]
        # an image is one frame: then the first chunk is that frame alone
        first = None if given is None else given.shape[2] % chosen.frames_per_chunk or None
        request = VideoRequest(
            chosen,
            WAN_VIDEO.latent_frames(seconds),
            *_size(width, height, given),
            seed,
            first,
            method=built,
            head_map=_map(model, built, head_map),
        )
        return io.NodeOutput({"samples": _sampled(model, request, encoded(prompts), given)})


def _sampled(
    model: ModelPatcher, request: VideoRequest, said: EncodedPrompts, given: Tensor | None
) -> Tensor:
    """Return the latent; what is finished of an interrupted or failed run is written."""
    names = [f"p{number}" for number in range(len(said.prompts))]
    schedule = schedule_of(said.prompts, names, request.clock, WAN_VIDEO)
    conditioning = dict(zip(names, said.conditioning, strict=True))
    progress = Progress(model, request)
    video = HostVideo(request, schedule, conditioning, given, progress.finished, progress.called)
    latent = None
    try:
        latent = video.sample(model)
    finally:
        if latent is None:
            progress.save()
    return latent.to(comfy.model_management.intermediate_device())


@dataclass
class Progress:
    """What users see of a run, and what is left of it when it is stopped.

    Args:
        model: for previews, as the user has set them.
    """

    model: ModelPatcher
    request: VideoRequest
    chunks: list[Tensor] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.total = len(self.request.clock) * (len(self.request.family.levels) + 1)
        self.done, self.begin = 0, time.monotonic()
        self._show = latent_preview.prepare_callback(self.model, self.total)

    def called(self, clean: Tensor, noisy: Tensor) -> None:
        """Count a model call, and show its newest frame."""
        self._show(min(self.done, self.total - 1), clean[:, :, -1:], noisy, self.total)
        self.done += 1

    def finished(self, done: FinishedChunk) -> None:
        """Keep a chunk, and say how long the rest will take."""
        self.chunks.append(done.latent.cpu())
        chunks, number = len(self.request.clock), len(self.chunks)
        each = (time.monotonic() - self.begin) / number
        log.info(
            "Head Forcing: chunk %d of %d, %.2f s each, %.0f s left",
            *(number, chunks, each, each * (chunks - number)),
        )

    def save(self) -> None:
        """Write what is finished as a .latent file, as Save Latent does."""
        if not self.chunks:
            return
        latent = self.model.model.process_latent_out(torch.cat(self.chunks, 2))
        folder = Path(folder_paths.get_output_directory()) / "latents"
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"head_forcing_unfinished_{time.strftime('%Y%m%d_%H%M%S')}.latent"
        tensors = {
            "latent_tensor": latent.contiguous(),
            "latent_format_version_0": torch.tensor([]),
        }
        comfy.utils.save_torch_file(tensors, str(path))
        log.warning(
            "Head Forcing: stopped after %d of %d chunks; they are in %s and can be gone on from",
            *(len(self.chunks), len(self.request.clock), path),
        )


def _video() -> list[io.Input]:
    return [
        io.Model.Input("model", tooltip="From Load AR Model, with or without LoRAs."),
        io.MultiType.Input(
            "prompts",
            types=[ScheduleSocket, io.Conditioning],
            tooltip="A Prompt Schedule, or one CONDITIONING for the whole video.",
        ),
        io.Int.Input(
            "seed",
            default=0,
            min=0,
            max=MOST_SEED,
            control_after_generate=True,
            tooltip="Same seed, same video; a longer one begins with the same frames.",
        ),
        io.Float.Input(
            "seconds",
            default=10.0,
            min=0.25,
            max=86_400.0,
            step=0.25,
            tooltip="Length, rounded up to whole chunks (0.75 s with 3 latent frames).",
        ),
        io.Int.Input("width", default=832, min=16, max=8192, step=16, tooltip="In pixels."),
        io.Int.Input("height", default=480, min=16, max=8192, step=16, tooltip="In pixels."),
    ]


def _way() -> list[io.Input]:
    return [
        io.Combo.Input(
            "family",
            options=[AUTO, *SUPPORTED],
            default=AUTO,
            tooltip="How the model is run. auto: as Load AR Model noted.",
        ),
        io.String.Input(
            "steps",
            default="",
            tooltip="Denoising steps before the shift, like 1000,750,500,250. Empty: the family's.",
        ),
        io.Float.Input(
            "shift",
            default=0.0,
            min=0.0,
            max=100.0,
            step=0.1,
            tooltip="Timestep shift. 0: the family's, with which it was trained.",
        ),
        CacheMethodSocket.Input(
            "method", optional=True, tooltip="How the past is kept. None: as the family does."
        ),
        HeadMapSocket.Input(
            "head_map", optional=True, tooltip="Instead of the map that the model brings."
        ),
        io.Latent.Input(
            "start",
            optional=True,
            tooltip="First frames: an image, or a video to go on from. Their size is the video's.",
        ),
    ]


def family_of(model: ModelPatcher, name: str) -> Family:
    """Return the family that is chosen, or that the model was loaded as."""
    noted = model.attachments.get(FAMILY_KEY)
    if name == AUTO and noted is None:
        raise ValueError(
            f"family must be chosen for a model that was not loaded with Load AR Model: "
            f"{', '.join(SUPPORTED)}"
        )
    return family_named(noted if name == AUTO else name)


def _steps(text: str) -> tuple[int, ...] | None:
    if not text.strip():
        return None
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise ValueError(
            f"steps must be whole numbers with commas between them, got {text!r}"
        ) from None


def _size(width: int, height: int, given: Tensor | None) -> tuple[int, int]:
    if given is None:
        return WAN_VIDEO.latent_size(width, height)
    if given.ndim != 5 or given.shape[0] != 1:
        raise ValueError(
            f"start must be the latent of one video, [1, C, F, Y, X], got {tuple(given.shape)}"
        )
    return given.shape[3], given.shape[4]


def _map(model: ModelPatcher, method: Method | None, chosen: HeadMap | None) -> HeadMap | None:
    """Return the map that is connected, or the one the model brings for this method."""
    if method is None or method.scheme is None:
        return None
    head_map = chosen or model.attachments.get(MAP_KEY, {}).get(method.scheme)
    if head_map and head_map.evidence and head_map.evidence.fingerprint != name_of(model):
        log.warning(
            "Head Forcing: the head map was measured on another model, or before a LoRA was added; "
            "put Profile Heads after the LoRA"
        )
    return head_map


def encoded(prompts: EncodedPrompts | list) -> EncodedPrompts:
    """Return a schedule; plain CONDITIONING is one prompt for the whole video."""
    if isinstance(prompts, EncodedPrompts):
        return prompts
    return EncodedPrompts((TimedPrompt("the prompt"),), (prompts,))
