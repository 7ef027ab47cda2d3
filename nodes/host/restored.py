"""A model as it was loaded, whatever another node's clone has left on it."""

from __future__ import annotations

from comfy.model_patcher import ModelPatcher


def restore(model: ModelPatcher) -> None:
    """Take off what other clones of a loaded model have put in place of its parts.

    A host leaves object patches where they are until a clone is loaded again, so that a sampling or
    a block of another branch of the graph would be taken for the model's own. It puts those of
    each clone back as it loads it. Weights stay as they are.
    """
    if model.object_patches_backup:
        model.unpatch_model(unpatch_weights=False)
