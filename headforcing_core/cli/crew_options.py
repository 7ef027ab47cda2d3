"""Options that say who does the work of a command."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from ..crews import LOCAL, Crew, Inline, RayCluster, Task, crew_here


def add_crew_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "--workers",
        type=int,
        metavar="N",
        help="processes of this machine (default: as many as memory and cores allow; on GPUs one "
        "each)",
    )
    add(
        "--ray",
        metavar="ADDRESS",
        help="workers of a Ray cluster instead: its address, auto for the one this machine is in, "
        f"or {LOCAL} to start one here",
    )


def check_crew_options(options: argparse.Namespace) -> None:
    """Refuse what does not go together.

    Raises:
        ValueError: if it is asked for.
    """
    if options.ray is None:
        return
    if options.device is not None:
        raise ValueError(
            f"--device must come without --ray, which deals out devices, got {options.device}"
        )
    if options.workers is not None and options.ray != LOCAL:
        raise ValueError(
            f"--workers must come without the address of a cluster, got {options.workers}; its "
            "machines have the workers they have"
        )


def crew_of(
    options: argparse.Namespace, tasks: Sequence[Task], alone: Inline | None = None
) -> Crew:
    """Return who does the tasks.

    Args:
        alone: who does them if one worker is enough; None: a process, which may die.
    """
    if options.ray is not None:
        return RayCluster(options.ray, options.workers)
    crew = crew_here(tasks, options.workers, options.device)
    return crew if alone is None or len(crew.devices) > 1 else alone
