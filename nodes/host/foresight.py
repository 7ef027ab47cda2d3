"""What a run will take, said before it, and refused where it cannot fit."""

from __future__ import annotations

from collections.abc import Sequence

import comfy.model_management
import torch
from comfy.model_patcher import ModelPatcher

from ...headforcing_core.device import free_memory
from ...headforcing_core.heads import ProfileSettings, requests_of
from ...headforcing_core.methods import HeadMap
from ...headforcing_core.models import WanConfig
from .backbone import config_of, dtype_of
from .experts import model_bytes, second_of
from .pictures import HostDecoder
from .profiling import HostSubject
from .video_name import Video


def foreseen(video: Video, maps: Sequence[HeadMap], decoder: HostDecoder | None = None) -> str:
    """Return what a run will take, as lines of text.

    Args:
        maps: of this model's heads, for methods that need one.
        decoder: of its pictures.

    Raises:
        RuntimeError: if it cannot fit; it says what would.
    """
    # here: a host that starts does not wait for what only a run needs
    from ...headforcing_core.inspection import Forecast, ModelSizes, check_fits, table

    model, request = video.model, video.request
    network, device = model.get_model_object("diffusion_model"), model.load_device
    sizes = ModelSizes(*_sizes(model))

    def decoding(rows: int, columns: int) -> int:
        room = decoder.room([1, network.in_dim, 1, rows, columns])
        return room * (2 if request.recodes else 1)

    forecast = Forecast(
        request,
        sizes,
        max(entries[0][0].shape[1] for entries in video.conditioning),
        device,
        decoding=None if decoder is None else decoding,
    )
    free = _free_in(forecast.places, model)
    start = 0 if video.start is None else video.start.shape[2]
    check_fits(forecast, free, maps, start)
    return table(forecast, free)


def check_profile_fits(subject: HostSubject, settings: ProfileSettings) -> None:
    """Refuse a profile whose videos cannot fit.

    Raises:
        RuntimeError: if they cannot; it says which size would.
    """
    from ...headforcing_core.inspection import Forecast, ModelSizes, check_fits

    model = subject.model
    sizes, device = ModelSizes(*_sizes(model)), model.load_device
    tokens = max(entries[0][0].shape[1] for entries in subject.conditioning)
    forecasts = [
        Forecast(request, sizes, prompts * tokens, device)
        for request, prompts in requests_of(settings, subject.family, subject.size)
    ]
    fullest = max(forecasts, key=lambda one: one.peak(one.places[0]))
    check_fits(fullest, _free_in(fullest.places, model), measuring=True)


def _sizes(model: ModelPatcher) -> tuple[WanConfig, torch.dtype, int, int | None, int]:
    """Return what ``ModelSizes`` are made of."""
    # a host streams weights that find no room on a card
    resident = None if model.load_device.type == "cpu" else 0
    models = 1 if second_of(model) is None else 2
    config = config_of(model.get_model_object("diffusion_model"))
    return config, dtype_of(model), model_bytes(model), resident, models


def _free_in(places: tuple[str, ...], model: ModelPatcher) -> dict[str, int | None]:
    free: dict[str, int | None] = {places[0]: _free_on(model)}
    free.setdefault("cpu", free_memory("cpu"))
    return free


def _free_on(model: ModelPatcher) -> int | None:
    """Return what a run may have of a device: what is free, and what the host frees for it."""
    device = model.load_device
    if device.type == "cpu":
        there = free_memory(device)
        # its weights are in memory already, and counted
        return None if there is None else there + model_bytes(model)
    loaded = sum(
        one.model_loaded_memory()
        for one in comfy.model_management.current_loaded_models
        if one.device == device
    )
    return comfy.model_management.get_free_memory(device) + loaded
