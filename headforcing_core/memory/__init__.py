"""The past of one video: keys and values of every head, in arenas allocated once."""

from .arena_plan import ArenaPlan
from .cache import CacheBank
from .cache_plan import Ahead, CachePlan
from .crossing import Crossing, for_commit, for_reads, for_sink, together
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
    "Crossing",
    "HeadGroup",
    "Ledger",
    "OpenChunk",
    "OpenWindow",
    "PoolRead",
    "Share",
    "check_map",
    "for_commit",
    "for_reads",
    "for_sink",
    "group_heads",
    "together",
]
