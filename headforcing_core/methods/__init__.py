"""What is remembered, in integers: what a method is, and the methods that ship."""

from . import forcing_kv, head_forcing, online, pyramid
from .alike import Alike
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
from .families import KreaHeads, KreaRealtime, LongLive2, RewardForcing, RollingForcing
from .forcing_kv import ForcingKV
from .head_forcing import HeadForcing
from .head_map import MOST_HEADS, Evidence, HeadMap
from .head_map_files import (
    PUBLISHED,
    map_text,
    published_map,
    read_head_map,
    write_head_map,
)
from .kv_dtype import KVDtype
from .method import ALL_HEADS, HeadRule, Method, Rebuilt, Shots
from .online import UNDECIDED, DummyTypes
from .pages import Commit, Kind, Page, Past, frame_page, home_of
from .policy import HeadPolicy
from .positions import PositionRule
from .pyramid import Pyramid
from .registry import METHODS, NAMES, MethodSettings, settings_named
from .settings import setting_names, with_values
from .switch import Switch, SwitchRule

__all__ = [
    "ALL_HEADS",
    "METHODS",
    "MOST_HEADS",
    "NAMES",
    "PUBLISHED",
    "UNDECIDED",
    "Alike",
    "Commit",
    "Deep",
    "Dummy",
    "DummyTypes",
    "Evidence",
    "ForcingKV",
    "Full",
    "HeadForcing",
    "HeadMap",
    "HeadPolicy",
    "HeadRule",
    "InfinityRope",
    "KVDtype",
    "Kind",
    "KreaHeads",
    "KreaRealtime",
    "LongLive",
    "LongLive2",
    "MemRope",
    "Method",
    "MethodSettings",
    "Page",
    "Past",
    "PositionRule",
    "Pyramid",
    "Rebuilt",
    "RewardForcing",
    "Rolling",
    "RollingForcing",
    "RollingSink",
    "Shots",
    "SinkWindow",
    "Switch",
    "SwitchRule",
    "forcing_kv",
    "frame_page",
    "head_forcing",
    "home_of",
    "map_text",
    "online",
    "published_map",
    "pyramid",
    "read_head_map",
    "setting_names",
    "settings_named",
    "with_values",
    "write_head_map",
]
