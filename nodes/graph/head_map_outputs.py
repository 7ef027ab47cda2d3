"""What a node that gives a head map hands on: the map, its picture, and the model with it."""

from __future__ import annotations

import numpy as np
import torch
from comfy.model_patcher import ModelPatcher
from comfy_api.latest import io
from PIL import Image

from ...headforcing_core.heads import draw_types
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


def head_map_output(head_map: HeadMap, model: ModelPatcher | None) -> io.NodeOutput:
    """Return a head map, its picture, and a clone of the model that brings it, if there is one."""
    brings = None if model is None else with_maps(model, {head_map.scheme: head_map})
    return io.NodeOutput(head_map, as_image(draw_types(head_map)), brings)


def as_image(picture: Image.Image) -> torch.Tensor:
    """Return a picture as the host's IMAGE, ``[1, Y, X, 3]``, 0 to 1."""
    return torch.from_numpy(np.asarray(picture, dtype=np.float32) / 255)[None]
