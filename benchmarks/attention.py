"""Attention of a layer whose heads read different lengths, every way there is, in turns.

    python benchmarks/attention.py [--json FILE]
    python benchmarks/attention.py --small           tiny shapes on the CPU: does the script work
    python benchmarks/attention.py --compile-report  registers and spills of every kernel

The first needs a GPU. A layer of Wan 1.3B: 12 heads of 128 channels, 4680 queries, 1560 tokens per
frame, bfloat16. Each budget of frames per head is timed beside one dense call in which all heads
see a window of 21 frames; the ratio of keys is what there is to gain. Errors are against float64 on
some queries of every head. Pyramid's map is read frame by frame, as that method reads. Then the
rest: writing a chunk, re-encoding, and measuring heads.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "kernels"))
import contestants
import offline
import pack  # noqa: F401  loads the pack from this checkout
from race import Row, Setup, raced
from setting import machine, result_file, written

from headforcing import kernels
from headforcing.headforcing_core import ChunkClock, Rope
from headforcing.headforcing_core.inspection import inspect
from headforcing.headforcing_core.memory import ArenaPlan
from headforcing.headforcing_core.methods import Kind, published_map, settings_named
from headforcing.headforcing_core.models import WAN_1_3B, WAN_HORIZON
from headforcing.headforcing_core.video import LatentGrid
from headforcing.kernels import MassImpl, ReencodeImpl, Span, WriteImpl
from headforcing.kernels.head_attention import reference
from headforcing.kernels.head_attention.pools import Pools

CHUNK, WINDOW, HEADS, LATE = 3, WAN_HORIZON, WAN_1_3B.heads, 40
DENSE = "dense SDPA, whole window"
PYRAMID = "Pyramid's map"
BUDGETS = {
    "dense 21": [WINDOW] * HEADS,
    "6 / 6 / 21": [6] * 8 + [WINDOW] * 4,
    "9 / 4 / 15": [9] * 4 + [4] * 4 + [15] * 4,
}


WAN = Setup(Rope(128, LatentGrid(60, 104, 2, 2)), "cuda", torch.bfloat16, 40, 8192, 256 << 20)
SMALL = Setup(Rope(16, LatentGrid(8, 8, 2, 2)), "cpu", torch.float32, 3, 256, 1)


class Case:
    """Random queries of some frames, and a pool for heads of given lengths in tokens."""

    def __init__(self, setup: Setup, lengths: list[int], frames: int = CHUNK):
        starts = [sum(lengths[:head]) for head in range(HEADS)]
        self.lengths, self.spans = lengths, [Span(*s) for s in zip(starts, lengths, strict=True)]
        self.q = setup.random(1, frames * setup.tokens, HEADS, setup.rope.head_dim)
        self.k, self.v = (setup.random(1, sum(lengths), setup.rope.head_dim) for _ in range(2))
        self.table = kernels.span_table(self.spans, setup.device)
        # of a chunk, which may take several calls
        self.calls = CHUNK // frames
        self.flops = 4 * CHUNK * setup.tokens * sum(lengths) * setup.rope.head_dim

    def error(self, out: Tensor) -> float:
        rows = [*torch.randint(self.q.shape[1], (16,)).tolist(), 0, self.q.shape[1] - 1]
        q = self.q[:, rows]
        exact = reference.forward(
            q.double(), Pools(self.k.double(), self.v.double()), self.spans, q.shape[-1] ** -0.5
        )
        return ((out[:, rows].double() - exact).abs().max() / exact.abs().max()).item()


def pyramid_lengths(setup: Setup) -> list[int]:
    """Return what Pyramid Forcing's heads read in the layer that is median in tokens, late."""
    method = settings_named("pyramid").build(CHUNK).fitted(LATE * CHUNK, CHUNK)
    plans = {t: ArenaPlan(rule, CHUNK, setup.rope) for t, rule in method.rules.items()}
    *_, late = inspect(method, ChunkClock(LATE * CHUNK, CHUNK), WINDOW, plans, 2)
    tokens = {}
    for type_, plan in plans.items():
        pages = late.heads[type_].readings[-1].pages
        small = sum(page.kind == Kind.BLOCK.value for page in pages)
        tokens[type_] = (CHUNK + len(pages) - small) * plan.tokens + small * plan.small_tokens
    layers = [[tokens[t] for t in types] for types in published_map("pyramid_self_forcing").types]
    return sorted(layers, key=sum)[len(layers) // 2]


def attention_rows(setup: Setup, what: str, case: Case, whole: Case, peak: float) -> list[Row]:
    ready = {DENSE: partial(contestants.dense, whole.q, whole.k, whole.v)}
    own = contestants.ragged(case.q, case.k, case.v, case.spans)
    if setup.device == "cpu":
        del own["FlexAttention"]  # it would be compiled for longer than all else takes
    ready |= {name: partial(repeated, make, case.calls) for name, make in own.items()}
    rows, runs = raced(setup, what, ready)
    baseline = next(row.ms for row in rows if row.contestant == DENSE)
    for row in rows:
        own = whole if row.contestant == DENSE else case
        row.fewer_keys = whole.flops / own.flops
        if row.contestant in runs:
            row.error = own.error(runs[row.contestant]())
        if row.ms is not None:
            row.faster, row.tflops = baseline / row.ms, own.flops / row.ms / 1e9
            row.of_peak = row.tflops / peak
    return rows


def repeated(make: Callable[[], Callable], calls: int) -> Callable:
    """Make a contestant ready whose turn is several calls; it returns what the last one does."""
    run = make()
    return run if calls == 1 else lambda: [run() for _ in range(calls)][-1]


def write_rows(setup: Setup) -> list[Row]:
    """Rotate a chunk and write it into full pools; bytes are those read and written."""
    frames, tokens = range(WINDOW - CHUNK, WINDOW), setup.tokens
    q, k, v = setup.random(3, 1, CHUNK * tokens, HEADS, setup.rope.head_dim).unbind()
    pools = [setup.random(1, HEADS * WINDOW * tokens, setup.rope.head_dim) for _ in "kv"]
    places = [[(head * WINDOW + frame) * tokens for head in range(HEADS)] for frame in frames]
    rows = torch.tensor(places, dtype=torch.int32, device=setup.device)
    rotation = setup.rope.frames(frames, setup.device).squeeze(1)
    call = partial(partial, kernels.write_rotated, q, k, v, rotation, *pools, rows)
    impls = (WriteImpl.TRITON, WriteImpl.EAGER)
    found, _ = raced(setup, "writing a chunk", {i.value: partial(call, impl=i) for i in impls})
    for row in found:
        moved = 2 * (q.nbytes + k.nbytes + v.nbytes) + rotation.nbytes
        row.tb_per_s = moved / row.ms / 1e9 if row.ms else None
    return found


def reencode_rows(setup: Setup) -> list[Row]:
    """Turn every page of the window, of all heads; bytes are those read and written."""
    keys = setup.random(1, HEADS, WINDOW, setup.tokens, setup.rope.head_dim)
    raw = setup.random(1, HEADS, WINDOW, setup.tokens, setup.rope.channels[0])
    pages = torch.arange(WINDOW, device=setup.device)
    turns = setup.rope.temporal(range(WINDOW), setup.device).squeeze(1)
    call = partial(partial, kernels.reencode, keys, raw, pages, pages, turns)
    impls = (ReencodeImpl.TRITON, ReencodeImpl.EAGER)
    rows, _ = raced(setup, "re-encoding", {i.value: partial(call, impl=i) for i in impls})
    for row in rows:
        row.tb_per_s = 2 * raw.nbytes / row.ms / 1e9 if row.ms else None
    return rows


def mass_rows(setup: Setup, whole: Case) -> list[Row]:
    """Measure where heads look, with all queries and with every eighth."""
    ready = {}
    for impl in (MassImpl.TRITON, MassImpl.BLOCKED):
        for step in (1, 8):
            call = (whole.q[:, ::step], whole.k, whole.spans, setup.tokens)
            ready[f"{impl.value}, queries / {step}"] = partial(
                partial, kernels.frame_logsumexp, *call, table=whole.table, impl=impl
            )
    return raced(setup, "measuring heads", ready)[0]


def measured(setup: Setup) -> dict[str, object]:
    torch.manual_seed(0)
    whole = Case(setup, [WINDOW * setup.tokens] * HEADS)
    a, b = setup.random(2, setup.matmul, setup.matmul)
    (product,), _ = raced(setup, "matmul", {"torch": lambda: lambda: a @ b})
    peak = 2 * setup.matmul**3 / product.ms / 1e9
    budgets = {name: [n * setup.tokens for n in frames] for name, frames in BUDGETS.items()}
    budgets[PYRAMID] = pyramid_lengths(setup)
    rows = []
    for name, lengths in budgets.items():
        frames = 1 if name == PYRAMID else CHUNK
        rows += attention_rows(setup, name, Case(setup, lengths, frames), whole, peak)
    rows += write_rows(setup) + reencode_rows(setup) + mass_rows(setup, whole)
    return {
        "queries": list(whole.q.shape),
        "tokens_per_frame": setup.tokens,
        "dtype": str(setup.dtype),
        "tokens_per_head": budgets,
        "matmul_tflops": peak,
        "rows": [asdict(row) for row in rows],
    }


def table(rows: list[dict[str, object]]) -> str:
    columns = [name for name, value in rows[0].items() if not isinstance(value, str)]
    lines = [" " * 45 + "".join(f"{name:>11}" for name in columns)]
    for row in rows:
        cells = ("" if row[name] is None else f"{row[name]:.3g}" for name in columns)
        told = "  " + row["missing"] if row["missing"] else "".join(f"{c:>11}" for c in cells)
        lines.append(f"{row['what']:16}{row['contestant']:29}{told}")
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--small", action="store_true", help="tiny shapes on the CPU")
    parser.add_argument("--compile-report", action="store_true", help="needs no GPU")
    parser.add_argument("--json", type=result_file, help="default: results/attention_CARD.json")
    options = parser.parse_args()
    if options.compile_report:
        with tempfile.TemporaryDirectory() as folder:
            sys.stdout.write(offline.table(list(offline.reports(Path(folder)))) + "\n")
        return 0
    if not options.small and not torch.cuda.is_available():
        sys.exit("torch must see a GPU to time attention, it sees none; --small needs none")
    setup = SMALL if options.small else WAN
    result = measured(setup)
    sys.stdout.write(table(result["rows"]) + "\n")
    command = ["python", "benchmarks/attention.py", *["--small"] * options.small]
    about = {"command": command, "machine": machine(setup.device), **result}
    written(about, options.json, "attention", setup.device)
    return 0


if __name__ == "__main__":
    sys.exit(main())
