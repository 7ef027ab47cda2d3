"""How the work of a kernel is cut for a card."""

from __future__ import annotations

from typing import NamedTuple


class Config(NamedTuple):
    """Tiles, and who works on them.

    queries, keys: rows of a tile.
    warps: of 32 threads that share a tile of queries.
    stages: tiles of keys that are under way at a time.
    tiles: of queries that a program computes in turns.
    """

    queries: int
    keys: int
    warps: int
    stages: int
    tiles: int = 1
