"""The widgets and inputs of what writes a video to a file."""

from __future__ import annotations

from comfy_api.latest import io

from .ranks import folded

PREFIX = "video/HeadForcing"
CONTAINERS = ["mp4", "mkv", "webm"]
CONTAINER = CONTAINERS[0]
QUALITY = 17


def film_widgets(vae_optional: bool = True) -> list[io.Input]:
    """Return what decides the file of a video."""
    return [
        io.Vae.Input(
            "vae",
            optional=vae_optional,
            tooltip="Decodes every chunk when it is finished, and appends it to a file that plays "
            "while it grows.",
        ),
        io.Audio.Input("audio", optional=True, tooltip="The file's sound, as long as the video."),
        io.String.Input(
            "filename_prefix",
            default=PREFIX,
            optional=True,
            tooltip="Of the file in the output folder, as in Save Video.",
        ),
        *_encoding_widgets(),
    ]


def _encoding_widgets() -> list[io.Input]:
    return [
        io.Combo.Input(
            "container",
            options=CONTAINERS,
            default=CONTAINER,
            optional=True,
            **folded(io.Combo.Input),
            tooltip="mp4 and mkv hold H.264, webm VP9.",
        ),
        io.Int.Input(
            "quality",
            default=QUALITY,
            min=0,
            max=51,
            optional=True,
            **folded(io.Int.Input),
            tooltip="Of the file, as x264's crf: 0 is the best and largest, 17 nearly as decoded.",
        ),
        io.Float.Input(
            "fps",
            default=0.0,
            min=0.0,
            max=120.0,
            step=0.01,
            optional=True,
            **folded(io.Float.Input),
            tooltip="Pictures per second. 0: those the model was trained with.",
        ),
        io.Int.Input(
            "tile",
            default=0,
            min=0,
            max=4096,
            step=32,
            optional=True,
            **folded(io.Int.Input),
            tooltip="Decode in tiles of so many pixels, for small cards. 0: whole pictures.",
        ),
    ]


def keep_widget() -> io.Input:
    """Return what decides whether a video can go on after it is finished."""
    return io.Boolean.Input(
        "keep_latents",
        default=True,
        optional=True,
        **folded(io.Boolean.Input),
        tooltip="Keep the latents beside the file, for Continue Video: about 100 MB per minute of "
        "832 x 480.",
    )
