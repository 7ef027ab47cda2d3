"""How ranks come together, and what of it is refused: by threads that meet in one store."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
import torch
from torch.distributed import HashStore

from headforcing.headforcing_core.ranks import (
    End,
    Launched,
    check_gpus,
    choose_backend,
    device_of,
    launched,
    local_ranks,
)

launching = sys.modules[Launched.__module__]


def met(*said):
    """Return what each of several ranks gets, or is told."""
    store = HashStore()

    def meet(rank):
        try:
            return local_ranks(Launched(store, rank, len(said)), said[rank])
        except (ValueError, RuntimeError) as error:
            return str(error)

    with ThreadPoolExecutor(len(said)) as threads:
        return list(threads.map(meet, range(len(said))))


def test_ranks_of_one_machine_are_numbered_there(monkeypatch):
    assert met("a", "a", "a") == [(0, 3), (1, 3), (2, 3)]
    hosts = iter(["x", "y", "y", "x"])
    monkeypatch.setattr(launching, "gethostname", lambda: next(hosts))
    assert sorted(met(*"aaaa")) == [(0, 2), (0, 2), (1, 2), (1, 2)]


def test_other_arguments_are_refused_by_all():
    (said,) = set(met("a", "a", "b"))
    assert said.startswith("all ranks must be given the same arguments, got others for rank 2")


def test_ranks_that_do_not_come_are_told(monkeypatch):
    monkeypatch.setattr(launching, "WAIT", timedelta(seconds=0.2))
    with pytest.raises(RuntimeError, match="all 2 ranks must come within"):
        local_ranks(Launched(HashStore(), 0, 2), "a")


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("cuda:1", "--device must be a kind of device where ranks have one each, got cuda:1"),
        ("cuda", "ranks on cuda must have NCCL and a GPU each"),
        ("mps", "ranks must compute on cuda or cpu, got mps"),
    ],
)
def test_devices_that_ranks_cannot_share_are_refused(monkeypatch, asked, said):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises((ValueError, RuntimeError), match=said):
        device_of(asked, 0, 2)


def test_each_rank_has_a_gpu_of_its_own(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.distributed, "is_nccl_available", lambda: True)
    assert [device_of(None, n, 2) for n in range(2)] == [torch.device("cuda", n) for n in range(2)]
    assert choose_backend(torch.device("cuda")) == "nccl"
    assert device_of("cpu", 3, 4) == torch.device("cpu")
    with pytest.raises(ValueError, match="visible GPUs, which are 2, got 4; start fewer"):
        device_of("cuda", 3, 4)
    check_gpus(2, 2)


def test_ranks_say_what_they_end_with(monkeypatch):
    monkeypatch.setattr(launching, "SAID_WITHIN", 0.2)
    monkeypatch.setattr(launching, "HEARD_WITHIN", 0.2)
    store = HashStore()
    zero, one, two = (Launched(store, rank, 3) for rank in range(3))
    assert zero.ended([1, 2]) == dict.fromkeys([1, 2], (End.SILENT, ""))
    one.ends(End.FAILED, "a disk is full")
    two.ends(End.LOST)
    assert zero.ended([1, 2]) == {1: (End.FAILED, "a disk is full"), 2: (End.LOST, "")}
    assert not one.was_heard()
    zero.hear()
    assert one.was_heard()


@pytest.mark.skipif(sys.platform == "win32", reason="processes are not asked there")
def test_a_process_that_is_gone_is_told_from_one_that_is_busy(monkeypatch):
    monkeypatch.setattr(launching, "SAID_WITHIN", 0.1)
    store = HashStore()
    zero, one = (Launched(store, rank, 2) for rank in range(2))
    one.come("a")
    assert zero.ended([1]) == {1: (End.SILENT, "")}
    over = subprocess.Popen([sys.executable, "-c", ""])
    over.wait()
    monkeypatch.setattr(launching.os, "getpid", lambda: over.pid)
    one.come("a")
    assert zero.ended([1]) == {1: (End.GONE, "")}
    one.ends(End.DONE)
    assert zero.ended([1]) == {1: (End.DONE, "")}


def test_a_process_of_its_own_is_alone():
    assert launched() is None
