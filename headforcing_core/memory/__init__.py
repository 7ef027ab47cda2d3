"""The past of one video: keys and values of every head, in arenas allocated once."""

from .arena_plan import ArenaPlan
from .cache import CacheBank
from .cache_plan import Ahead, CachePlan
from .groups import HeadGroup, check_map, group_heads
from .ledger import Ledger
from .open_chunk import OpenChunk, PoolRead
from .open_window import OpenWindow
from .pool import Share
from .rows import CODES
from .scores import CELLS

__all__ = [
    "CELLS",
    "CODES",
    "Ahead",
    "ArenaPlan",
    "CacheBank",
    "CachePlan",
    "HeadGroup",
    "Ledger",
    "OpenChunk",
    "OpenWindow",
    "PoolRead",
    "Share",
    "check_map",
    "group_heads",
]
