"""What is noted on a model on its way through the graph: its family, and the types of its heads."""

from __future__ import annotations

from collections.abc import Mapping

from comfy.model_patcher import ModelPatcher

from ...headforcing_core.methods import HeadMap
from ...headforcing_core.models import FAMILY_NAMES, Family, choose_family, family_named

AUTO = "auto"
_FAMILY, _MAPS = "head_forcing_family", "head_forcing_maps"


def note_family(model: ModelPatcher, family: Family) -> None:
    """Note on a model of one's own how it is run."""
    model.set_attachments(_FAMILY, family.name)


def family_of(model: ModelPatcher, name: str) -> Family:
    """Return the family that is chosen, or that the model was loaded as.

    Of a model from a loader of the host the file's name tells, where the host remembers it.

    Raises:
        ValueError: if nothing tells, or the choice cannot be run.
    """
    noted, path = model.attachments.get(_FAMILY), _file_of(model)
    if name == AUTO and noted is None and path is not None:
        return choose_family(path, None)
    if name == AUTO and noted is None:
        raise ValueError(
            f"family must be chosen for a model that was not loaded with Load AR Model: "
            f"{', '.join(FAMILY_NAMES)}"
        )
    return family_named(noted if name == AUTO else name)


def _file_of(model: ModelPatcher) -> str | None:
    """Return the file that the host would load a model from again; older hosts do not say."""
    loader = getattr(model, "cached_patcher_init", None)
    path = loader[1][0] if loader and loader[1] else None
    return path if isinstance(path, str) else None


def note_maps(model: ModelPatcher, maps: Mapping[str, HeadMap]) -> None:
    """Note on a model of one's own which head is of which type, by scheme."""
    model.set_attachments(_MAPS, dict(maps))


def maps_on(model: ModelPatcher) -> Mapping[str, HeadMap]:
    """Return the head maps that a model brings, by scheme."""
    return model.attachments.get(_MAPS, {})


def with_maps(model: ModelPatcher, maps: Mapping[str, HeadMap]) -> ModelPatcher:
    """Return a clone of a model that brings maps, beside those of other schemes."""
    clone = model.clone()
    note_maps(clone, {**maps_on(model), **maps})
    return clone
