"""The widgets and inputs of the sampler, of which Profile Heads has some."""

from __future__ import annotations

from comfy_api.latest import io

from ...headforcing_core.models import FAMILY_NAMES
from .model_notes import AUTO
from .ranks import folded
from .sockets import CacheMethodSocket, HeadMapSocket, ScheduleSocket

MOST_SEED = 0xFFFFFFFFFFFFFFFF


def size_widgets() -> list[io.Input]:
    return [
        io.Int.Input(side, default=pixels, min=16, max=8192, step=16, tooltip="In pixels.")
        for side, pixels in (("width", 832), ("height", 480))
    ]


def family_widget() -> io.Input:
    return io.Combo.Input(
        "family",
        options=[AUTO, *FAMILY_NAMES],
        default=AUTO,
        **folded(io.Combo.Input),
        tooltip="How the model is run. auto: as Load AR Model noted.",
    )


def video_widgets() -> list[io.Input]:
    """Return what decides which video is made."""
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
            round=0.01,
            tooltip="Length, rounded up to whole chunks (3 latent frames are 0.75 s at 16 pictures "
            "per second).",
        ),
        *size_widgets(),
    ]


def way_widgets() -> list[io.Input]:
    """Return what decides how it is made."""
    return [
        family_widget(),
        io.String.Input(
            "steps",
            default="",
            **folded(io.String.Input),
            tooltip="Denoising steps before the shift, like 1000,750,500,250. Empty: the family's.",
        ),
        io.Float.Input(
            "shift",
            default=0.0,
            min=0.0,
            max=100.0,
            step=0.1,
            **folded(io.Float.Input),
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
        io.Latent.Input(
            "size",
            optional=True,
            tooltip="An empty video latent: its length and size instead of seconds, width, height.",
        ),
        io.Sigmas.Input(
            "sigmas",
            optional=True,
            tooltip="Noise levels from a scheduler, from 1 down to 0, instead of steps and shift.",
        ),
    ]
