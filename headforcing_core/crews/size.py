"""How many workers a machine has room for."""

from __future__ import annotations

import os
from collections.abc import Sequence

import torch

from ..bounds import check_within
from ..device import choose_device, free_host_memory
from .crew import Task
from .processes import Processes

# of the memory that is free, what workers may take together: others use it, too
SHARE = 0.9
# what Python and PyTorch take before there is any work, in bytes; measured
EMPTY_WORKER = 600 << 20
MOST_WORKERS = 1024


def crew_here(tasks: Sequence[Task], workers: int | None, device: str | None) -> Processes:
    """Return the crew for tasks on this machine.

    On a CPU as many workers as cores and memory allow, which share the cores; on GPUs one each,
    for a video takes all of a card's time. A worker alone has the threads that this process has:
    the last bits of sums on a CPU may depend on their number.

    Args:
        workers: how many; None: as many as make sense.
        device: for all of them; None: the best there are.
    """
    if workers is not None:
        check_within("--workers", workers, 1, MOST_WORKERS)
    kind = choose_device(device).type
    if kind == "cpu":
        count = workers or _fitting(tasks)
        return Processes((device,) * count, _threads(count))
    cards = [device] if device or kind != "cuda" else _cards()
    count = workers or max(1, min(len(cards), len(tasks)))
    return Processes(tuple(cards[n % len(cards)] for n in range(count)), _threads(count))


def _threads(workers: int) -> int:
    return torch.get_num_threads() if workers == 1 else max(1, cores() // workers)


def cores() -> int:
    """Return the cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _cards() -> list[str]:
    return [f"cuda:{number}" for number in range(torch.cuda.device_count())]


def _fitting(tasks: Sequence[Task]) -> int:
    free = free_host_memory()
    each = EMPTY_WORKER + max((task.room for task in tasks), default=0)
    room = len(tasks) if free is None else int(SHARE * free) // each
    return max(1, min(cores(), len(tasks), room))
