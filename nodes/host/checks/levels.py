"""Whether a shift that a node has set is the one that is used."""

from __future__ import annotations

from math import isclose

import torch
from comfy.model_patcher import ModelPatcher
from torch import nn


class OwnShift:
    """The mark of a sampling of ours: no node has asked for its shift."""


def _shift_of(sampling: nn.Module) -> float | None:
    """Return by how much a flow is shifted, whatever its node calls that; None if it is none.

    Half the way, a shift of s gives the level s / (1 + s).
    """
    try:
        half = torch.tensor(0.5 * getattr(sampling, "multiplier", 1.0))
        level = float(sampling.sigma(half))
    except (AttributeError, RuntimeError, TypeError, ValueError):
        return None
    return level / (1 - level) if 0 <= level < 1 else None


def check_shift(model: ModelPatcher, shift: float) -> None:
    """Refuse a model on which a node has set another timestep shift than the run uses.

    Raises:
        ValueError: if so; the sampler's own widgets decide.
    """
    sampling = model.object_patches.get("model_sampling")
    if sampling is None or isinstance(sampling, OwnShift):
        return
    asked = _shift_of(sampling)
    if asked is not None and not isclose(asked, shift, rel_tol=1e-3):
        # the widget goes in tenths
        settable = 0 < asked <= 100 and isclose(10 * asked, round(10 * asked), rel_tol=1e-3)
        instead = f", or set shift to {asked:g}" if settable else "; its own widget sets the shift"
        raise ValueError(
            f"the shift must be the sampler's, {shift:g} here, got {asked:g} from a ModelSampling "
            f"node on the model; take that node away{instead}"
        )
