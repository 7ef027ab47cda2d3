"""A published checkpoint as an ordinary model of the host."""

from __future__ import annotations

import json
import logging
from functools import partial
from importlib.util import find_spec

import comfy.model_sampling
import comfy.sd
import torch
from comfy.model_patcher import ModelPatcher

from ...headforcing_core.files import open_tensors
from ...headforcing_core.models import (
    CLEAN_LATENT,
    WAN_CHANNELS,
    WAN_HEAD_DIM,
    Family,
    Published,
    WanConfig,
    read_published,
    unlike_published,
)
from ..graph import note_family
from .checks import OwnShift, check_model
from .experts import note_second
from .weights import as_host_weights

log = logging.getLogger("headforcing")
# where a host has an autoregressive sampler of its own, which is for Wan 2.1, it wants a module of
# its own: the same weights, and the same forward without that sampler
OWN_AUTOREGRESSIVE = "comfy.ldm.wan.ar_model"
CAUSAL = {"config": json.dumps({"transformer": {"causal_ar": True}})}


def load_model(
    path: str, family: Family, dtype: torch.dtype | None, disable_dynamic: bool = False
) -> ModelPatcher:
    """Load a file with the host's own loader, under the names it knows.

    Args:
        dtype: of the weights; None: as the host chooses.
        disable_dynamic: newer hosts' word for a model without weight streaming; others lack it.

    Raises:
        ValueError: if the file is no Wan text-to-video model that can be run, and why.
    """
    published = _published(path, family)
    model = _loaded(published, path, family, dtype, disable_dynamic)
    note_family(model, family)
    # newer hosts load a model anew by this, for another device or without weight streaming
    model.cached_patcher_init = (load_model, (path, family, dtype))
    if published.second is not None:
        second = _loaded(published.second, path, family, dtype, disable_dynamic)
        second.cached_patcher_init = (_load_second, (path, family, dtype))
        note_second(model, second)
    return model


def _load_second(
    path: str, family: Family, dtype: torch.dtype | None, disable_dynamic: bool = False
) -> ModelPatcher:
    second = _published(path, family).second
    return _loaded(second, path, family, dtype, disable_dynamic)


def _published(path: str, family: Family) -> Published:
    """Read what a file holds, which must be what its family is."""
    source = open_tensors(path, prefer=family.weights)
    published = read_published(source, two_experts=family.two_experts)
    family.check_config(published.config)
    unlike = unlike_published(family, published.config)
    if unlike:
        log.warning("Head Forcing: %s", unlike)
    _check_buildable(published.config)
    return published


def _loaded(
    published: Published,
    path: str,
    family: Family,
    dtype: torch.dtype | None,
    disable_dynamic: bool,
) -> ModelPatcher:
    weights = as_host_weights(published, dtype)
    load = comfy.sd.load_diffusion_model_state_dict
    if disable_dynamic:
        load = partial(load, disable_dynamic=True)
    if published.config.in_dim == WAN_CHANNELS and find_spec(OWN_AUTOREGRESSIVE) is not None:
        load = partial(load, metadata=CAUSAL)
    try:
        model = load(weights, model_options={} if dtype is None else {"dtype": dtype})
    except RuntimeError as error:  # it takes some sizes for granted
        raise ValueError(
            f"the file must be of a size that this ComfyUI builds, got {published.config}: "
            f"{_last_line(error)}"
        ) from error
    if model is None:
        raise ValueError(f"the file must be a Wan model that this ComfyUI knows, got {path}")
    check_model(model)
    model.add_object_patch("model_sampling", _sampling(model, family))
    return model


def _check_buildable(config: WanConfig) -> None:
    """Refuse what a host takes for granted and a file says otherwise."""
    if config.heads * WAN_HEAD_DIM != config.dim:
        raise ValueError(
            f"the model must have {WAN_HEAD_DIM} channels per head in ComfyUI, got {config.heads} "
            f"heads for {config.dim} channels in the file's metadata; the command line runs it"
        )
    if config.predicts == CLEAN_LATENT:
        raise ValueError(
            "the model must predict the flow, got one that gives the clean latent; the model that "
            "ships is loaded with Load Demo AR Model"
        )


def _last_line(error: RuntimeError) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[-1].strip()


def _sampling(model: ModelPatcher, family: Family) -> torch.nn.Module:
    """Return the flow schedule the family was trained with, for plain samplers."""

    class Sampling(
        comfy.model_sampling.ModelSamplingDiscreteFlow, comfy.model_sampling.CONST, OwnShift
    ):
        pass

    sampling = Sampling(model.model.model_config)
    sampling.set_parameters(shift=family.shift, multiplier=1000)
    return sampling
