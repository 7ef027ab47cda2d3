"""The past of one video: keys and values of every head, in arenas allocated once."""

from .arena import ArenaPlan
from .budgets import budgets
from .cache import CacheBank
from .cache_plan import CachePlan
from .groups import check_map, group_heads
from .inspection import STAND_IN, ChunkInspected, Reading, inspect
from .open_chunk import OpenChunk
from .slots import SlotTable

__all__ = [
    "STAND_IN",
    "ArenaPlan",
    "CacheBank",
    "CachePlan",
    "ChunkInspected",
    "OpenChunk",
    "Reading",
    "SlotTable",
    "budgets",
    "check_map",
    "group_heads",
    "inspect",
]
