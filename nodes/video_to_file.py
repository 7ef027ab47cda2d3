"""Video to File: a latent decoded into a file, a few frames at a time."""

from __future__ import annotations

import comfy.sd
from comfy_api.latest import io
from torch import Tensor

from ..headforcing_core.files import VideoStyle
from ..headforcing_core.models import video_format
from .graph import CATEGORY, CONTAINER, PREFIX, QUALITY, aliases, film_widgets
from .host import (
    FilmSettings,
    HostDecoder,
    as_video,
    said_of,
    shown,
    write_latent,
)


class HeadForcingVideoToFile(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="HeadForcingVideoToFile",
            display_name="Video to File",
            category=CATEGORY,
            description="Decode a video of any length into a file, a few frames at a time: memory "
            "does not grow. The file plays while it grows, and an interrupted run goes on when it "
            "is queued again.",
            inputs=[
                io.Latent.Input("samples", tooltip="A video's latent, from any sampler."),
                *film_widgets(vae_optional=False),
            ],
            outputs=[
                io.Video.Output("video", display_name="video", tooltip="The file, as a video.")
            ],
            hidden=[io.Hidden.prompt, io.Hidden.extra_pnginfo],
            is_output_node=True,
            **aliases("save video", "vae decode video", "long video", "decode to file", "mp4"),
        )

    @classmethod
    def execute(
        cls,
        samples: dict,
        vae: comfy.sd.VAE,
        audio: dict | None = None,
        filename_prefix: str = PREFIX,
        container: str = CONTAINER,
        quality: int = QUALITY,
        fps: float = 0.0,
        tile: int = 0,
    ) -> io.NodeOutput:
        latent = _checked(samples)
        decoder = HostDecoder.of(vae, tile, latent.shape[1])
        style = VideoStyle(fps or video_format(latent.shape[1]).fps, quality, container)
        settings = FilmSettings.of(filename_prefix, style, said_of(cls.hidden), audio)
        path = write_latent(latent, decoder, settings)
        return io.NodeOutput(as_video(path), ui=shown(path))


def _checked(samples: dict) -> Tensor:
    latent = samples["samples"]
    if latent.ndim != 5 or len(latent) != 1:
        raise ValueError(
            "samples must be the latent of one video, [1, channels, frames, rows, columns], got "
            f"{list(latent.shape)}"
        )
    if not latent.isfinite().all():
        raise ValueError("samples must be finite numbers, got NaN or infinity")
    return latent
