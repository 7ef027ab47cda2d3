"""In how many bits keys and values are kept, and what a method lets be chosen of that."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class KVDtype(Enum):
    """What keys and values are kept in.

    MODEL: the dtype that the model computes in.
    INT8: eight bits, evenly spaced; about half the memory of bfloat16.
    FP8: eight bits of floating point, e4m3: coarser, but for numbers far smaller than their
        neighbours.
    """

    MODEL = "model"
    INT8 = "int8"
    FP8 = "fp8"


@dataclass(frozen=True, kw_only=True)
class OneDtype:
    """Keys and values of all heads alike.

    A class of its own, so that its settings come last: saved workflows hold them by their places.

    Args:
        kv_dtype: what keys and values are kept in: the dtype of the model, or int8 or fp8 (e4m3),
            which take half the memory of bfloat16.
    """

    kv_dtype: KVDtype = KVDtype.MODEL
