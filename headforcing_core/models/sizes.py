"""Sizes of the model that a family was published with, where there is no file to tell."""

from __future__ import annotations

from .families import WAN_1_3B_MODEL, WAN_5B_MODEL, WAN_14B_MODEL
from .family import Family
from .wan import WanConfig

# of the others it is Wan 2.1's small one
_OTHERS = {"longlive2": WAN_5B_MODEL, "krea_14b": WAN_14B_MODEL}


def published_sizes(family: Family) -> WanConfig:
    """Return the sizes of a family's model; what a user chose otherwise of it changes none."""
    return _OTHERS.get(family.name, WAN_1_3B_MODEL)
