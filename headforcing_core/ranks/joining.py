"""How ranks come together: checked for sense, and ended together."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import torch
from torch import distributed

from .launched import Launched
from .ranks import Ranks

BACKENDS = {"cpu": "gloo", "cuda": "nccl"}
# between two collectives: a disk that is full is waited for, and a long video is decoded
LONGEST = timedelta(days=7)


def choose_backend(device: torch.device) -> str:
    """Return what ranks talk through.

    Raises:
        RuntimeError: if there is nothing for such devices, or it is not in this torch.
    """
    backend = BACKENDS.get(device.type)
    if backend is None:
        raise RuntimeError(
            f"ranks must compute on cuda or cpu, got {device.type}; choose one with --device"
        )
    there = torch.cuda.is_available() and distributed.is_nccl_available()
    if backend == "nccl" and not there:
        raise RuntimeError(
            "ranks on cuda must have NCCL and a GPU each, got a torch or a machine without; "
            "--device cpu takes gloo"
        )
    return backend


def local_ranks(launched: Launched, said: str) -> tuple[int, int]:
    """Meet the others; return this rank's number on its machine, and how many are there.

    Args:
        said: what must be the same for all of them: what they were asked for.

    Raises:
        RuntimeError: if they do not come.
        ValueError: if they were asked for something else.
    """
    launched.come(said)
    hosts, _, asked = zip(*launched.everyone(), strict=True)
    everyone = range(launched.size)
    others = [rank for rank in everyone if asked[rank] != asked[0]]
    if others:
        raise ValueError(
            f"all ranks must be given the same arguments, got others for rank {others[0]} than "
            "for rank 0; start them with one command"
        )
    own = [rank for rank in everyone if hosts[rank] == hosts[launched.rank]]
    return own.index(launched.rank), len(own)


def check_gpus(ranks: int, gpus: int) -> None:
    """Refuse more ranks than GPUs on a machine.

    Raises:
        ValueError: if there are more.
    """
    if ranks > gpus:
        raise ValueError(
            f"ranks on a machine must be at most its visible GPUs, which are {gpus}, got {ranks}; "
            "start fewer with --nproc-per-node"
        )


def device_of(asked: str | None, number: int, ranks: int) -> torch.device:
    """Return the device of a rank.

    Args:
        asked: what all were asked to compute on; None: GPUs where there are any.
        number: of the rank on its machine.
        ranks: there.

    Raises:
        ValueError: if a single GPU was asked for, or there are fewer than ranks.
        RuntimeError: if ranks cannot compute on such devices.
    """
    device = torch.device(asked or ("cuda" if torch.cuda.is_available() else "cpu"))
    if device.index is not None:
        raise ValueError(
            f"--device must be a kind of device where ranks have one each, got {asked}; "
            f"{device.type} is enough"
        )
    if choose_backend(device) == "gloo":
        return device
    check_gpus(ranks, torch.cuda.device_count())
    return torch.device("cuda", number)


@contextmanager
def joined(launched: Launched, device: torch.device) -> Iterator[Ranks]:
    """Be a rank of those that meet in a store; leave them at the end.

    Raises:
        RuntimeError: if they cannot talk, or one of them ends; see ``choose_backend``.
    """
    backend = choose_backend(device)
    if device.type == "cuda":
        torch.cuda.set_device(device)
    distributed.init_process_group(
        backend,
        store=distributed.PrefixStore("head_forcing", launched.store),
        rank=launched.rank,
        world_size=launched.size,
        timeout=LONGEST,
    )
    try:
        yield Ranks(launched.rank, launched.size, device)
    finally:
        distributed.destroy_process_group()
