"""Time per chunk of every method against ``full`` and ``rolling``, in one run, in turns.

    python benchmarks/methods.py [--json FILE]

A model of random weights with 12 heads and 256 tokens per frame, at chunk 40. Times are ratios: the
attention part alone (rotating, writing, staging, attending) and the whole chunk. Beside them the
head-frames that are attended, which is what they should follow.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
import conftest  # noqa: F401  loads the pack from this checkout

from headforcing.headforcing_core import ChunkClock, HeadAttention, Rope
from headforcing.headforcing_core.cache import CacheBank, CachePlan
from headforcing.headforcing_core.geometry import LatentGrid, ModelGeometry
from headforcing.headforcing_core.groups import group_heads
from headforcing.headforcing_core.head_map import HeadMap
from headforcing.headforcing_core.methods import settings_named

GEOMETRY = ModelGeometry(layers=2, heads=12, head_dim=64)
GRID = LatentGrid(32, 32, 2, 2)
CHUNK, AT, CALLS = 3, 40, 5
# heads of each type in a layer: the published shares, rounded to twelve
SHARES = {
    "head_forcing": {"hf.local": 2, "hf.anchor": 3, "hf.memory": 7},
    "pyramid": {"pyramid.wave": 5, "pyramid.anchor": 6, "pyramid.veil": 1},
    "forcing_kv": {"fk.static": 5, "fk.dynamic": 7},
}


class Runner:
    """One method at its 40th chunk, ready to attend."""

    def __init__(self, name: str):
        method = settings_named(name).build(CHUNK).fitted((AT + 60) * CHUNK, CHUNK)
        head_map = None
        if method.needs_map:
            row = [t for t, n in SHARES[method.scheme].items() for _ in range(n)]
            head_map = HeadMap(method.scheme, (tuple(row),) * GEOMETRY.layers)
        self.rope = Rope(GEOMETRY.head_dim, GRID)
        groups = group_heads(method, head_map, GEOMETRY)
        self.bank = CacheBank(CachePlan(GEOMETRY, self.rope, groups, CHUNK, 21, method=method))
        self.chunks = iter(ChunkClock((AT + 60) * CHUNK, CHUNK))
        for _ in range(AT):
            self.chunk(1)

    def chunk(self, calls: int) -> float:
        """Draft and commit a chunk; return the seconds spent in attention."""
        chunk = next(self.chunks)
        tokens = len(chunk) * GRID.tokens_per_frame
        begin = time.perf_counter()
        self.bank.open(chunk)
        attend = HeadAttention(self.bank, self.rope.frames(chunk.frames, self.bank.device))
        for call in range(calls):
            clean = HeadAttention(attend.bank, attend.rotation, commits=call == calls - 1)
            for layer in range(GEOMETRY.layers):
                q, k, v = torch.randn(3, 1, tokens, GEOMETRY.heads, GEOMETRY.head_dim)
                clean(layer, q, k, v)
        self.bank.commit(chunk, torch.randn(1, 16, len(chunk), 32, 32))
        return time.perf_counter() - begin

    @property
    def head_frames(self) -> float:
        """Frames attended per layer, summed over heads, by one query frame."""
        spans = [self.bank.spans(layer) for layer in range(GEOMETRY.layers)]
        rows = sum(span.length for of_layer in spans for span in of_layer)
        return rows / GRID.tokens_per_frame / GEOMETRY.layers
