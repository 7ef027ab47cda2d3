"""Which of the host's models a rollout can be made with, and what other nodes may lay on it."""

from __future__ import annotations

from comfy.ldm.wan.model import WanModel
from comfy.model_patcher import ModelPatcher
from torch import nn

from ....headforcing_core.models import FAMILIES, Family
from ..restored import restore
from .additions import COMPILED, additions
from .prediction import check_prediction

try:
    from comfy.ldm.wan.ar_model import CausalWanModel
except ImportError:  # the host has no autoregressive models of its own
    NETWORKS: tuple[type, ...] = (WanModel,)
else:
    NETWORKS = (WanModel, CausalWanModel)
CHANNELS = {family.channels for family in FAMILIES}


def check_model(model: ModelPatcher) -> None:
    """Refuse a model that no rollout of ours can be made with.

    Raises:
        ValueError: if it is no text-to-video model of Wan 2.1, or of Wan 2.2's small one; if it
            carries what skips or replaces forwards, guides, or is not known to be right with a
            memory of the past; if it does not predict as a flow does.
    """
    restore(model)
    network = model.get_model_object("diffusion_model")
    if type(network).__name__ == COMPILED:
        raise ValueError(
            "model must be compiled by its parts or by TorchCompileModel, got one that a node has "
            "compiled and put in the whole model's place; use TorchCompileModel"
        )
    latents = model.model.latent_format
    if not _known(network):
        raise ValueError(
            f"model must be a Wan 2.1 text-to-video model, or Wan 2.2's 5B, got {_kind(network)}; "
            "load one with Load AR Model"
        )
    if latents.latent_channels != network.in_dim:
        raise ValueError(
            f"model must make the latents it is taken for, got {network.in_dim} channels for a "
            f"latent format of {latents.latent_channels}; load it with Load AR Model"
        )
    for message in additions(model):
        raise ValueError(message)
    check_prediction(model)


def _known(network: nn.Module) -> bool:
    # exactly these: VACE, S2V, HuMo and their like are made from them and want more than words
    if type(network) not in NETWORKS or getattr(network, "model_type", "t2v") != "t2v":
        return False
    return network.in_dim == network.out_dim and network.in_dim in CHANNELS


def _kind(network: nn.Module) -> str:
    if type(network) not in NETWORKS:
        return type(network).__name__
    if network.model_type != "t2v":
        return network.model_type
    return f"one of {network.in_dim} channels in and {network.out_dim} out"


def check_family(model: ModelPatcher, family: Family) -> None:
    """Refuse a family whose models make latents of another kind.

    Raises:
        ValueError: if so.
    """
    channels = model.get_model_object("diffusion_model").in_dim
    if channels != family.channels:
        raise ValueError(
            f"family must fit the model, whose latents have {channels} channels, got {family.name} "
            f"of {family.channels}; choose {_fitting(channels)}"
        )


def _fitting(channels: int) -> str:
    names = [family.name for family in FAMILIES if family.channels == channels]
    return names[0] if len(names) == 1 else f"one of {', '.join(names)}"
