"""Real processes that make videos together over gloo, for tests: started once, asked often."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pack  # noqa: F401  loads the pack from this checkout
import torch
from torch import distributed, multiprocessing

from headforcing.headforcing_core.ranks import Launched, Ranks, joined

# seconds in which a rank must have answered
PATIENCE = 120
# what a test may meet; it is told there
FAILURES = (ValueError, RuntimeError, AssertionError, LookupError, TypeError, AttributeError)


class Crew:
    """Ranks that do what they are asked, all of them the same; ``work(ranks, *arguments)``."""

    def __init__(self, pipes: list, processes: list):
        self.pipes, self.processes = pipes, processes

    def do(self, work: Callable[..., Any], *arguments: object) -> list[Any]:
        """Return what every rank gives; what a rank raises is raised here."""
        for pipe in self.pipes:
            pipe.send((work, arguments))
        said = []
        for rank, pipe in enumerate(self.pipes):
            assert pipe.poll(PATIENCE), f"rank {rank} does not answer"
            said.append(pipe.recv())
        for rank, (fine, answer) in enumerate(said):
            assert fine, f"rank {rank}: {answer}"
        return [answer for _, answer in said]


@contextmanager
def crew(size: int, folder: Path) -> Iterator[Crew]:
    """Start so many ranks; they end with the block."""
    context = multiprocessing.get_context("spawn")
    pairs = [context.Pipe() for _ in range(size)]
    processes = [
        context.Process(
            target=_serve, args=(str(folder / f"meet_{size}"), rank, size, pairs[rank][1])
        )
        for rank in range(size)
    ]
    for process in processes:
        process.start()
    try:
        yield Crew([ours for ours, _ in pairs], processes)
    finally:
        for ours, _ in pairs:
            ours.send(None)
        for process in processes:
            process.join(10)
            if process.is_alive():
                process.terminate()


def _serve(store: str, rank: int, size: int, pipe) -> None:
    torch.set_num_threads(1)
    launched = Launched(distributed.FileStore(store, size), rank, size)
    with joined(launched, torch.device("cpu")) as ranks:
        while (task := pipe.recv()) is not None:
            work, arguments = task
            try:
                pipe.send((True, work(Ranks(ranks.rank, ranks.size), *arguments)))
            except FAILURES:
                pipe.send((False, traceback.format_exc()))
