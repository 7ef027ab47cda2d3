"""The methods that ship: Head Forcing, Pyramid Forcing, and what they are compared with."""

from .baselines import (
    Deep,
    Dummy,
    Full,
    InfinityRope,
    LongLive,
    MemRope,
    Rolling,
    RollingSink,
    SinkWindow,
)
from .forcing_kv import ForcingKV
from .head_forcing import HeadForcing
from .pyramid import Pyramid
from .registry import METHODS, NAMES, MethodSettings, settings_named
from .settings import setting_names, with_values

__all__ = [
    "METHODS",
    "NAMES",
    "Deep",
    "Dummy",
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
    "setting_names",
    "settings_named",
    "with_values",
]
