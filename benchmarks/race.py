"""Contestants that are timed in turns, in one run, so that what disturbs one disturbs all."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

import torch
from torch import Tensor

from headforcing.headforcing_core import Rope

# cycles that a GPU waits before a turn, about 2 ms: so long that all launches of the turn are there
# when it begins. What launching costs is measured where it counts, in rollout.py.
WAIT = 4_000_000
FAILURES = (ImportError, RuntimeError, ValueError, OSError, AttributeError)


@dataclass(frozen=True)
class Setup:
    """What is measured where.

    Args:
        rounds: how often everyone has a turn.
        matmul: rows of the square matrices that tell the peak.
        flush: bytes written before each turn, so that nobody finds data in a cache.
    """

    rope: Rope
    device: str
    dtype: torch.dtype
    rounds: int
    matmul: int
    flush: int

    @property
    def tokens(self) -> int:
        """Of a frame."""
        return self.rope.grid.tokens_per_frame

    def random(self, *shape: int) -> Tensor:
        return torch.randn(*shape, device=self.device, dtype=self.dtype)


@dataclass
class Row:
    """One contestant.

    Args:
        faster: how many times faster than the dense window; it has ``fewer_keys`` times the keys.
        error: largest, relative to the largest value.
        missing: why there is nothing.
    """

    what: str
    contestant: str
    ms: float | None = None
    tflops: float | None = None
    of_peak: float | None = None
    tb_per_s: float | None = None
    faster: float | None = None
    fewer_keys: float | None = None
    error: float | None = None
    missing: str = ""


def raced(
    setup: Setup, what: str, ready: dict[str, Callable[[], Callable]]
) -> tuple[list[Row], dict[str, Callable]]:
    """Time everyone that runs here, in turns; tell why others do not."""
    runs, rows = {}, []
    for name, make in ready.items():
        rows.append(Row(what, name))
        try:
            run = make()
            run()
            runs[name] = run
        except FAILURES as error:
            rows[-1].missing = (str(error).strip().splitlines() or [type(error).__name__])[-1]
    # Triton's interpreter is right, but its time says nothing
    times = {name: [] for name in runs if setup.device != "cpu" or not name.startswith("triton")}
    flush = torch.empty(setup.flush, dtype=torch.int8, device=setup.device)
    for _ in range(setup.rounds):
        for name, own in times.items():
            flush.zero_()
            own.append(once(runs[name], setup.device))
    for row in rows:
        row.ms = median(times[row.contestant]) if row.contestant in times else None
    return rows, runs


def once(run: Callable, device: str) -> float:
    """Return the milliseconds of one turn."""
    if device == "cpu":
        start = time.perf_counter()
        run()
        return (time.perf_counter() - start) * 1e3
    begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    torch.cuda._sleep(WAIT)
    begin.record()
    run()
    end.record()
    end.synchronize()
    return begin.elapsed_time(end)
