"""Whether a shift that a node has set is the one that is used."""

from __future__ import annotations

from math import isclose

from comfy.model_patcher import ModelPatcher


class OwnShift:
    """The mark of a sampling of ours: no node has asked for its shift."""


def check_shift(model: ModelPatcher, shift: float) -> None:
    """Refuse a model on which a node has set another timestep shift than the run uses.

    Raises:
        ValueError: if so; the sampler's own widgets decide.
    """
    sampling = model.object_patches.get("model_sampling")
    asked = getattr(sampling, "shift", None)
    if sampling is None or asked is None or isinstance(sampling, OwnShift):
        return
    if not isclose(asked, shift, rel_tol=1e-3):
        raise ValueError(
            f"the shift must be the sampler's, {shift:g} here, got {asked:g} from a ModelSampling "
            f"node on the model; take that node away, or set shift to {asked:g}"
        )
