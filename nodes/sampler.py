"""Head Forcing Sampler: a long video, chunk by chunk, from a MODEL and prompts."""

from __future__ import annotations

import logging

import comfy.sd
from comfy.model_patcher import ModelPatcher
from comfy_api.latest import io
from comfy_execution.graph_utils import ExecutionBlocker
from comfy_execution.utils import get_executing_context
from torch import Tensor

from ..headforcing_core.files import VideoStyle
from ..headforcing_core.generation import VideoRequest
from ..headforcing_core.methods import HeadMap, Method, MethodSettings
from ..headforcing_core.models import Family
from .graph import (
    CATEGORY,
    CONTAINER,
    PREFIX,
    QUALITY,
    EncodedPrompts,
    aliases,
    encoded,
    family_of,
    film_widgets,
    keep_widget,
    maps_on,
    video_widgets,
    way_widgets,
)
from .host import (
    STEERED,
    FilmSettings,
    HostDecoder,
    Made,
    Making,
    Screen,
    Told,
    as_video,
    check_family,
    check_model,
    check_shift,
    check_size,
    check_start,
    core_start,
    foreseen,
    name_of,
    shown,
)

log = logging.getLogger("headforcing")
NO_VAE = "video must have a VAE to be made with, got none: connect one to Head Forcing Sampler"


class HeadForcingSampler(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="HeadForcingSampler",
            display_name="Head Forcing Sampler",
            category=CATEGORY,
            description="Make a video of any length chunk by chunk; memory does not grow. "
            "Prompts change on the way. An interrupted run goes on where it was when it is queued "
            "again.",
            inputs=[*video_widgets(), *way_widgets(), *film_widgets(), keep_widget()],
            outputs=[
                io.Latent.Output(tooltip="The whole video, for VAE Decode."),
                io.String.Output(
                    "plan", display_name="plan", tooltip="Which prompt ruled from when to when."
                ),
                io.Video.Output(
                    "video",
                    display_name="video",
                    tooltip="The file, if a VAE is connected: it grows while the video is made.",
                ),
            ],
            hidden=[io.Hidden.prompt, io.Hidden.extra_pnginfo],
            **aliases(
                "long video",
                "self forcing",
                "autoregressive sampler",
                "longlive",
                "infinite video",
                "ksampler video",
            ),
        )

    @classmethod
    def fingerprint_inputs(
        cls,
        seed: int | None = None,
        seconds: float | None = None,
        width: int | None = None,
        height: int | None = None,
        model: None = None,
        prompts: None = None,
        family: str | None = None,
        steps: str | None = None,
        shift: float | None = None,
        method: None = None,
        head_map: None = None,
        start: None = None,
        size: None = None,
        sigmas: None = None,
        vae: None = None,
        audio: None = None,
        filename_prefix: str | None = None,
        container: str | None = None,
        quality: int | None = None,
        fps: float | None = None,
        tile: int | None = None,
        keep_latents: bool | None = None,
    ) -> int:
        """Tell the host when it may not answer with what it knows; see ``SteeredWidgets``.

        All inputs are named, as the host hands them all; what is connected is None.
        """
        return STEERED.count(seed, seconds, width, height)

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
        size: dict | None = None,
        sigmas: Tensor | None = None,
        vae: comfy.sd.VAE | None = None,
        audio: dict | None = None,
        filename_prefix: str = PREFIX,
        container: str = CONTAINER,
        quality: int = QUALITY,
        fps: float = 0.0,
        tile: int = 0,
        keep_latents: bool = True,
    ) -> io.NodeOutput:
        check_model(model)
        chosen = _family(model, family, _steps(steps), shift or None, _sigmas(sigmas))
        built = None if method is None else method.build(chosen.frames_per_chunk)
        network = model.get_model_object("diffusion_model")
        given = check_start(_start(model, start), network.in_dim)
        first = None if given is None else chosen.first_chunk(given.shape[2])
        request = VideoRequest(
            chosen,
            *_shape(chosen, seconds, width, height, given, check_size(size, network.in_dim)),
            seed,
            first,
            method=built,
            head_map=_map(model, built, head_map),
        )
        decoder = None if vae is None else HostDecoder.of(vae, tile, network.in_dim)
        context = get_executing_context()
        node = context and context.node_id
        told = Told(model, request, encoded(prompts), given, decoder, cls.hidden, node)
        told.begin()
        needs, screen = _foreseen(told), None
        if decoder is not None:
            style = VideoStyle(fps or chosen.video.fps, quality, container)
            settings = FilmSettings.of(filename_prefix, style, told.metadata, audio)
            screen = Screen(decoder, settings, keep_latents)
        return _outputs(Making(told.video, screen, told).run(), needs)


def _foreseen(told: Told) -> str:
    """Say what the run will take, and in the log which prompt will rule when.

    Raises:
        ValueError: if it cannot fit, or the prompts do not.
    """
    if len(told.said.prompts) > 1:
        log.info("Head Forcing: prompts\n%s", told.plan)
    return foreseen(told.video, tuple(maps_on(told.model).values()), told.decoder)


def _outputs(made: Made, needs: str) -> io.NodeOutput:
    plan, latent = f"{made.told.plan}\n\n{needs}", {"samples": made.latent}
    if made.path is None:
        return io.NodeOutput(latent, plan, ExecutionBlocker(NO_VAE))
    return io.NodeOutput(latent, plan, as_video(made.path), ui=shown(made.path))


def _family(
    model: ModelPatcher,
    name: str,
    steps: tuple[int, ...] | None,
    shift: float | None,
    sigmas: tuple[float, ...] | None,
) -> Family:
    """Return how the model is run, with what the widgets say otherwise."""
    family = family_of(model, name).tuned(steps=steps, shift=shift, sigmas=sigmas)
    check_family(model, family)
    if family.with_lora and not model.patches:
        log.warning(
            "Head Forcing: %s is published as a base model and an adapter: without Load AR LoRA "
            "this is the base alone, unless the file has both merged",
            family.title,
        )
    if family.sigmas is None:
        check_shift(model, family.shift)
    return family


def _start(model: ModelPatcher, connected: dict | None) -> dict | None:
    """Return the first frames that are connected, or that a node of the host laid on the model."""
    laid = core_start(model)
    if laid is not None and connected is not None:
        raise ValueError(
            "first frames must come from one place, got start and an image from ARVideoI2V on the "
            "model; disconnect one"
        )
    return connected if laid is None else laid


def _steps(text: str) -> tuple[int, ...] | None:
    if not text.strip():
        return None
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise ValueError(
            f"steps must be whole numbers with commas between them, got {text!r}"
        ) from None


def _sigmas(given: Tensor | None) -> tuple[float, ...] | None:
    if given is None:
        return None
    levels = tuple(given.flatten().tolist())
    if not levels or levels[-1] != 0:
        raise ValueError(
            f"sigmas must descend from 1 to 0, got {[round(level, 4) for level in levels]}; a part "
            "of them (Split Sigmas) leaves noise in the video"
        )
    return levels


def _shape(
    family: Family,
    seconds: float,
    width: int,
    height: int,
    given: Tensor | None,
    size: Tensor | None,
) -> tuple[int, int, int]:
    """Return (frames, rows, columns): of the first frames, of a latent, or as the widgets say."""
    video = family.video
    frames, (rows, columns) = video.latent_frames(seconds), (0, 0)
    if size is not None:
        frames, rows, columns = size.shape[2:]
    elif given is None:
        rows, columns = video.latent_size(width, height)
    if given is not None:
        if rows and given.shape[3:] != (rows, columns):
            raise ValueError(
                f"start must be as large as size, {rows} x {columns}, got "
                f"{given.shape[3]} x {given.shape[4]}"
            )
        rows, columns = given.shape[3:]
        if given.shape[2] > frames:
            long, wanted = (video.moment(n) for n in (given.shape[2], frames))
            raise ValueError(
                f"the video must be longer than its start, which is part of it, got {wanted:g} s "
                f"({frames} latent frames) for a start of {long:g} s ({given.shape[2]}); raise "
                "seconds"
            )
    return frames, rows, columns


def _map(model: ModelPatcher, method: Method | None, chosen: HeadMap | None) -> HeadMap | None:
    """Return the map that is connected, or the one the model brings for this method."""
    if method is None or method.scheme is None:
        if chosen is not None:
            raise ValueError(
                "head_map must come with a method that tells heads apart, got "
                f"{'none' if method is None else 'one that does not'}; connect Cache Method with "
                "such a method, or disconnect head_map"
            )
        return None
    head_map = chosen or maps_on(model).get(method.scheme)
    if head_map and head_map.evidence and head_map.evidence.fingerprint != name_of(model):
        log.warning(
            "Head Forcing: the head map was measured on another model, or before a LoRA was added; "
            "put Profile Heads after the LoRA"
        )
    return head_map
