"""What the videos of a profile take, and whether there is room for them."""

from __future__ import annotations

import argparse

import torch

from ..device import choose_device
from ..heads import ProfileSettings, Subject, requests_of
from ..inspection import Forecast, ModelSizes, free_in
from ..models import WAN_TEXT_TOKENS, Family
from .foresight import check_unless, sizes_of
from .profile_subject import family_of


def check_room(options: argparse.Namespace, settings: ProfileSettings) -> None:
    """Refuse a profile of a checkpoint that cannot fit; of the file only the shapes are read.

    Raises:
        ValueError: if the file is no model that can be run.
        RuntimeError: if there is not enough memory, and ``options.anyway`` does not say to try.
    """
    family, device = family_of(options), choose_device(options.device)
    size = family.video.latent_size(options.width, options.height)
    sizes = sizes_of(options, family, device)
    forecast = _fullest(settings, sizes, family, size, WAN_TEXT_TOKENS, device)
    check_unless(options.anyway, forecast, free_in(forecast), measuring=True)


def room_of(subject: Subject, settings: ProfileSettings, device: torch.device) -> int:
    """Return the bytes that a video takes where it is made, a model that is loaded among them."""
    model, family = subject.model, subject.family
    weights = sum(x.numel() * x.element_size() for x in model.state_dict().values())
    sizes = ModelSizes(model.config, model.dtype, weights, models=1 + family.two_experts)
    tokens = subject.texts[0].shape[1]
    forecast = _fullest(settings, sizes, family, subject.size, tokens, device)
    return forecast.peak(forecast.places[0])


def _fullest(
    settings: ProfileSettings,
    sizes: ModelSizes,
    family: Family,
    size: tuple[int, int],
    tokens: int,
    device: torch.device,
) -> Forecast:
    """Return what is known of the video that takes most."""
    requests = requests_of(settings, family, size)
    forecasts = [
        Forecast(request, sizes, prompts * tokens, device) for request, prompts in requests
    ]
    return max(forecasts, key=lambda one: one.peak(one.places[0]))
