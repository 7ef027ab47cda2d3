"""What a node that gives a head map hands on: the map, its picture, and the model with it."""

from __future__ import annotations

import numpy as np
import torch
from comfy.model_patcher import ModelPatcher
from comfy_api.latest import io
from PIL import Image

from ...headforcing_core.heads import EditedMap, described, draw_types
from ...headforcing_core.methods import HeadMap
from .model_notes import with_maps
from .sockets import HeadMapSocket


def head_map_outputs() -> list[io.Output]:
    """Return the sockets of ``head_map_output``."""
    return [
        HeadMapSocket.Output("typed", display_name="head_map", tooltip="For the sampler."),
        io.Image.Output(tooltip="Which head is of which type."),
        io.Model.Output(tooltip="The model, with this map."),
    ]


def edits_widget() -> io.Input:
    """Return the widget of types that were changed by hand; the last one of its node."""
    return io.String.Input(
        "edits",
        default="",
        optional=True,
        tooltip="Types changed by hand, LAYER.HEAD=TYPE with commas between them: 3.5=hf.memory. "
        "The picture writes it.",
    )


def head_map_output(
    edited: EditedMap, model: ModelPatcher | None, beside: HeadMap | None = None
) -> io.NodeOutput:
    """Return a head map, its picture, and a clone of the model that brings it, if there is one."""
    head_map = edited.outgoing
    brings = None if model is None else with_maps(model, {head_map.scheme: head_map})
    shown = shown_map(edited, beside)
    return io.NodeOutput(head_map, as_image(draw_types(head_map)), brings, ui=shown)


def shown_map(edited: EditedMap, beside: HeadMap | None = None) -> dict[str, list]:
    """Return a map as the page is sent it."""
    return {"head_map": [described(edited, beside)]}


def as_image(picture: Image.Image) -> torch.Tensor:
    """Return a picture as the host's IMAGE, ``[1, Y, X, 3]``, 0 to 1."""
    return torch.from_numpy(np.asarray(picture, dtype=np.float32) / 255)[None]
