"""What a method's caches take in one run, beside those of the model's authors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from ..generation import VideoRequest
from .forecast import Forecast
from .model_sizes import ModelSizes

# of caches alone: the text does not count
TEXT_TOKENS = 1
# any but the host, where nothing can be out of the way
DEVICE = "cuda"


@dataclass(frozen=True)
class Cost:
    """Bytes of caches, on the device.

    Args:
        caches: by type of head; what belongs to no type has a name of its own.
        heads: of each type.
        bytes: in all.
        own: in all, as the family's authors keep the past.
    """

    caches: Mapping[str, int]
    heads: Mapping[str, int]
    bytes: int
    own: int


def cost_of(request: VideoRequest, sizes: ModelSizes) -> Cost:
    """Return what the caches of a run take.

    Raises:
        ValueError: if the request does not fit the model.
    """
    asked = Forecast(request, sizes, TEXT_TOKENS, DEVICE)
    own = Forecast(replace(request, method=None, head_map=None), sizes, TEXT_TOKENS, DEVICE)
    heads: dict[str, int] = {}
    for group in asked.plan.groups:
        heads[group.type] = heads.get(group.type, 0) + sum(map(len, group.heads.values()))
    return Cost(asked.caches, heads, asked.plan.bytes, own.plan.bytes)
