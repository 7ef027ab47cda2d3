"""Time per chunk of every method against ``full`` and ``rolling``, in one run, in turns.

    python benchmarks/methods.py [--json FILE]

12 heads of 64 channels, a layer, 288 tokens per frame, chunk 40 and the ones after it. What is
timed is the memory of a chunk: four drafts and a commit of rotating, storing, staging and
attending, with random queries, keys and values, and the attending alone; the rest of a model costs
the same whatever the method. Times are ratios, beside the frames attended, summed over heads, which
they should follow.
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

import torch

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
import pack  # noqa: F401  loads the pack from this checkout
from setting import machine, map_of, result_file, written

from headforcing.headforcing_core import ChunkClock, HeadAttention, Rope, attention
from headforcing.headforcing_core.memory import CacheBank, CachePlan, OpenChunk, group_heads
from headforcing.headforcing_core.methods import NAMES, settings_named
from headforcing.headforcing_core.video import LatentGrid, ModelGeometry
from headforcing.kernels import head_attention

GEOMETRY = ModelGeometry(layers=1, heads=12, head_dim=64)
GRID = LatentGrid(32, 36, 2, 2)
CHUNK, HORIZON = 3, 21
FIRST, TIMED, CALLS = 40, 8, 5
AGAINST = ("rolling", "full")


class Stopwatch:
    """Attention that is timed."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self, *arguments: object, **options: object) -> torch.Tensor:
        begin = time.perf_counter()
        out = head_attention(*arguments, **options)
        self.seconds += time.perf_counter() - begin
        return out


STOPWATCH = Stopwatch()
attention.head_attention = STOPWATCH


class Runner:
    """One method, brought to its 40th chunk."""

    def __init__(self, name: str):
        self.name, frames = name, (FIRST + TIMED) * CHUNK
        method = settings_named(name).build(CHUNK).fitted(frames, CHUNK)
        head_map = map_of(method, GEOMETRY)
        rope = Rope(GEOMETRY.head_dim, GRID)
        groups = group_heads(method, head_map, GEOMETRY)
        plan = CachePlan(GEOMETRY, rope, groups, CHUNK, HORIZON, method=method)
        self.bank, self.chunks = CacheBank(plan), iter(ChunkClock(frames, CHUNK))
        tokens = CHUNK * GRID.tokens_per_frame
        self.qkv = torch.randn(GEOMETRY.layers, 3, 1, tokens, GEOMETRY.heads, GEOMETRY.head_dim)
        self.latent = torch.randn(1, 16, CHUNK, GRID.rows, GRID.columns)
        for _ in range(FIRST):
            self._skip_chunk()

    def _skip_chunk(self) -> None:
        """Make the next chunk part of the past without attending to anything."""
        chunk = next(self.chunks)
        opened = self.bank.open(chunk)
        for layer in range(GEOMETRY.layers):
            q, k, v = self.qkv[layer]
            opened.study(layer, opened.write(layer, q, k, v), k)
        self.bank.commit(chunk, self.latent)

    def run_chunk(self) -> tuple[float, float]:
        """Draft and commit the next chunk; return the seconds it took, and those of attending."""
        chunk = next(self.chunks)
        STOPWATCH.seconds, begin = 0.0, time.perf_counter()
        opened = self.bank.open(chunk)
        for call in range(CALLS):
            attend = HeadAttention(opened, step=None if call == CALLS - 1 else call)
            for layer in range(GEOMETRY.layers):
                attend(layer, *self.qkv[layer])
        self.head_frames = self._head_frames(opened)
        self.bank.commit(chunk, self.latent)
        return time.perf_counter() - begin, STOPWATCH.seconds

    def _head_frames(self, opened: OpenChunk) -> float:
        """Frames that a query reads, summed over the heads of a layer."""
        spans = [span for layer in range(GEOMETRY.layers) for span in opened.rows(layer).spans]
        return sum(span.length for span in spans) / GRID.tokens_per_frame / GEOMETRY.layers


@dataclass(frozen=True)
class Row:
    """One method: its cost as a multiple of another's.

    Args:
        head_frames: frames that a query reads, summed over the heads of a layer.
        budget, time, attending: head-frames, time, and time of attending alone, as multiples of
            ``rolling``'s and ``full``'s.
    """

    method: str
    head_frames: float
    budget: dict[str, float]
    time: dict[str, float]
    attending: dict[str, float]


def measure(names: list[str]) -> list[Row]:
    """Time the methods in turns, chunk by chunk."""
    runners = {name: Runner(name) for name in names}
    seconds: dict[str, list[tuple[float, float]]] = {name: [] for name in names}
    for _ in range(TIMED):
        for name, runner in runners.items():
            seconds[name].append(runner.run_chunk())
    rows = []
    for name, runner in runners.items():
        whole, attending = (
            {
                other: median(
                    a[part] / b[part] for a, b in zip(seconds[name], seconds[other], strict=True)
                )
                for other in AGAINST
            }
            for part in (0, 1)
        )
        budget = {other: runner.head_frames / runners[other].head_frames for other in AGAINST}
        rows.append(Row(name, runner.head_frames, budget, whole, attending))
    return rows


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--json", type=result_file, metavar="FILE", help="write the rows there, too"
    )
    options = parser.parse_args()
    rows = measure(list(NAMES))
    sys.stdout.write(f"{'method':24}{'head-frames':>12}")
    heads = "".join(f"{f'of {o}':>12}{'attending':>11}{'all':>7}" for o in AGAINST)
    sys.stdout.write(f"{heads}\n")
    for row in rows:
        cells = "".join(
            f"{row.budget[o]:12.3f}{row.attending[o]:11.3f}{row.time[o]:7.3f}" for o in AGAINST
        )
        sys.stdout.write(f"{row.method:24}{row.head_frames:12.0f}{cells}\n")
    if options.json:
        result = {
            "command": ["python", "benchmarks/methods.py"],
            "machine": machine(),
            "chunks": [FIRST, FIRST + TIMED],
            "tokens_per_frame": GRID.tokens_per_frame,
            "rows": [asdict(row) for row in rows],
        }
        written(result, options.json, "", "cpu")
    return 0


if __name__ == "__main__":
    sys.exit(main())
