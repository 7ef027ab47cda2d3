"""What measuring heads costs: the same rollout with and without it, in one run, in turns.

    python benchmarks/profiling.py [--json FILE]

Random weights, a layer of 6 heads of 64 channels, 288 tokens per frame, 8 chunks, of which 3 are
looked at in all noisy steps; the protocol looks at 3 of 40. Told are the time of a whole video and
that of the chunks that are looked at, as multiples of the rollout's alone.
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import replace
from pathlib import Path
from statistics import median

import torch

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
import pack  # noqa: F401  loads the pack from this checkout
from random_model import TINY, random_weights
from setting import machine, result_file, written

from headforcing.headforcing_core import PromptSchedule
from headforcing.headforcing_core.files.tensor_files import TensorDict
from headforcing.headforcing_core.generation import VideoRequest
from headforcing.headforcing_core.heads import FULL
from headforcing.headforcing_core.heads.profiling import Profiler
from headforcing.headforcing_core.models import family_named
from headforcing.headforcing_core.models.checkpoint import build_wan

FAMILY = family_named("self_forcing")
CONFIG = replace(TINY, dim=384, ffn_dim=1536, heads=6, layers=1)
SIZE, FRAMES, ROUNDS = (32, 36), 24, 3
LOOKED_AT = [5, 6, 7]
ROWS = {"without": None, "256 rows": 256, "all rows": 0}


def chunk_seconds(model, text, rows: int | None) -> list[float]:
    """Return the seconds of every chunk of a video, measured or not."""
    request = VideoRequest(FAMILY, FRAMES, *SIZE, 0)
    observe = None if rows is None else Profiler(replace(FULL, rows=rows), 0, 0, LOOKED_AT)
    run = request.rollout(model, PromptSchedule.constant(text), observe).run()
    seconds = []
    for _ in request.clock:
        begin = time.perf_counter()
        next(run)
        seconds.append(time.perf_counter() - begin)
    return seconds


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--json", type=result_file, metavar="FILE", help="write the figures there, too"
    )
    options = parser.parse_args()
    model = build_wan(TensorDict(random_weights(CONFIG)), heads=CONFIG.heads)
    text = torch.randn(1, 16, CONFIG.text_dim)
    chunk_seconds(model, text, None)  # warm
    runs: dict[str, list[list[float]]] = {name: [] for name in ROWS}
    for _ in range(ROUNDS):
        for name, rows in ROWS.items():
            runs[name].append(chunk_seconds(model, text, rows))
    figures = {}
    for name in list(ROWS)[1:]:
        pairs = list(zip(runs[name], runs["without"], strict=True))
        figures[name] = {
            "video": median(sum(a) / sum(b) for a, b in pairs),
            "chunks looked at": median(
                sum(a[n] for n in LOOKED_AT) / sum(b[n] for n in LOOKED_AT) for a, b in pairs
            ),
        }
        told = ", ".join(f"{what} {ratio:.2f}" for what, ratio in figures[name].items())
        sys.stdout.write(f"{name:12}{told}\n")
    if options.json:
        result = {
            "command": ["python", "benchmarks/profiling.py"],
            "machine": machine(),
            "time_ratios": figures,
        }
        written(result, options.json, "", "cpu")
    return 0


if __name__ == "__main__":
    sys.exit(main())
