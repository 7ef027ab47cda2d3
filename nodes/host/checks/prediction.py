"""Whether a model's output is taken for what it is, whatever node has set how it is sampled."""

from __future__ import annotations

import torch
from comfy.model_patcher import ModelPatcher
from torch import nn

SIGMA = 0.7


class GivesClean:
    """The mark of a sampling whose network gives the clean latent itself."""


def check_prediction(model: ModelPatcher) -> None:
    """Refuse a sampling that reads another quantity out of the network than it was trained to give.

    It is asked for numbers, not for its class: nodes build classes of their own.

    Raises:
        ValueError: if inputs are scaled, the noise is mixed otherwise than in a flow, or the output
            is not read as the model's own sampling reads it.
    """
    own, given = model.model.model_sampling, model.get_model_object("model_sampling")
    if not _agrees(given, clean=isinstance(own, GivesClean)):
        raise ValueError(
            "model must be sampled as the flow it was trained as, got a sampling node that reads "
            f"another prediction ({_named(given)}) on it; take that ModelSampling node away"
        )


def _agrees(sampling: nn.Module, clean: bool) -> bool:
    rng = torch.Generator().manual_seed(0)
    noisy, out, latent = (torch.randn(1, 2, 1, 2, 2, generator=rng) for _ in range(3))
    sigma = torch.full((1,), SIGMA)
    wanted = out if clean else noisy - SIGMA * out
    try:
        read = sampling.calculate_denoised(sigma, out, noisy)
        mixed = sampling.noise_scaling(sigma, noisy, latent)
        seen = sampling.calculate_input(sigma, noisy)
    except (AttributeError, RuntimeError, TypeError, ValueError):
        return False
    pairs = ((read, wanted), (seen, noisy), (mixed, SIGMA * noisy + (1 - SIGMA) * latent))
    return all(torch.allclose(a.float(), b, atol=1e-5) for a, b in pairs)


def _named(sampling: nn.Module) -> str:
    """Return what a sampling is called: the prediction, which the host mixes into a class."""
    mixed = (base.__name__ for base in type(sampling).__mro__ if base is not nn.Module)
    return next((name for name in mixed if "Sampling" not in name), type(sampling).__name__)
