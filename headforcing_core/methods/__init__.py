"""The methods that ship: Head Forcing, Pyramid Forcing, and what they are compared with."""

from .baselines import (
    Deep,
    ForcingKV,
    Full,
    InfinityRope,
    LongLive,
    MemRope,
    Rolling,
    RollingSink,
    SinkWindow,
)
from .head_forcing import HeadForcing
from .pyramid import Pyramid
from .registry import METHODS, NAMES, MethodSettings, settings_named

__all__ = [
    "METHODS",
    "NAMES",
    "Deep",
    "ForcingKV",
    "Full",
    "HeadForcing",
    "InfinityRope",
    "LongLive",
    "MemRope",
    "MethodSettings",
    "Pyramid",
    "Rolling",
    "RollingSink",
    "SinkWindow",
    "settings_named",
]
