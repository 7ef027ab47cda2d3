"""Four and a half minutes of video: nothing grows."""

import sys
import time
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from statistics import median

import psutil
import pytest
import torch
from plans import frames_held
from random_model import TINY, random_weights
from torch.utils._python_dispatch import TorchDispatchMode

from headforcing.headforcing_core import FinishedChunk, Rollout
from headforcing.headforcing_core.files.tensor_files import TensorDict
from headforcing.headforcing_core.generation import VideoRequest
from headforcing.headforcing_core.models import family_named
from headforcing.headforcing_core.models.checkpoint import build_wan
from headforcing.headforcing_core.video import PromptSchedule

FAMILY = family_named("self_forcing").tuned(window=12, sink=2)
FRAMES = 1101  # 367 chunks
TURNS = 30  # of two chunks each, timed one after the other
MiB = 2**20


@pytest.fixture
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def memory() -> int:
    return psutil.Process().memory_info().rss


def new_rollout() -> Rollout:
    model = build_wan(TensorDict(random_weights(TINY)), heads=TINY.heads)
    request = VideoRequest(FAMILY, FRAMES, rows=16, columns=16, seed=0)
    return request.rollout(model, PromptSchedule.constant(torch.zeros(1, 4, TINY.text_dim)))


def timed(chunks: Iterator[FinishedChunk]) -> float:
    before = time.thread_time()  # the thread's own: other work on the machine does not count
    next(chunks)
    return time.thread_time() - before


def late_to_young(
    late: Iterator[FinishedChunk], young: Iterator[FinishedChunk], late_first: bool
) -> float:
    if late_first:
        return timed(late) / timed(young)
    return 1 / (timed(young) / timed(late))


class Counted(TorchDispatchMode):
    """What torch was asked to do: each operation with the sizes of what it gave."""

    def __init__(self) -> None:
        super().__init__()
        self.done: Counter[tuple] = Counter()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        given = func(*args, **(kwargs or {}))
        tensors = given if isinstance(given, tuple | list) else [given]
        sizes = tuple(tuple(t.shape) for t in tensors if isinstance(t, torch.Tensor))
        self.done[str(func), sizes] += 1
        return given


def counted(chunks: Iterator[FinishedChunk]) -> Counter[tuple]:
    with Counted() as mode:
        next(chunks)
    return mode.done


def test_1100_frames_in_constant_memory_and_constant_time(one_thread, capsys):
    """The last thirty chunks against chunks 21 to 50 of the same rollout, begun anew.

    The machine itself is faster at one time than at another, for one of a turn's two as well: so
    chunks are timed in turns, either first in every other one, and the middle of the turns' ratios
    stands for all. What is computed is counted, and must be equal.
    """
    rollout = new_rollout()
    bank, last, early = rollout.bank, rollout.run(), 0
    for done in islice(last, len(rollout.clock) - TURNS - 1):
        assert done.latent.isfinite().all()
        assert len(frames_held(bank)) <= FAMILY.window - FAMILY.frames_per_chunk
        if done.chunk.index == 20:
            early = memory()
    grown = (memory() - early) / MiB
    young = new_rollout().run()
    assert [done.chunk.index for done in islice(young, 20)][-1] == 19
    work = counted(young)
    assert counted(last) == work and work.total() > 100
    ratio = median(late_to_young(last, young, turn % 2 == 0) for turn in range(TURNS))
    assert next(last, None) is None
    assert frames_held(bank)[:2] == [0, 1] and FRAMES - 1 in frames_held(bank)
    with capsys.disabled():
        sys.stdout.write(
            f"\n{FRAMES} frames: the last {TURNS} of {len(rollout.clock)} chunks take "
            f"{ratio:.3f} x the time of chunks 21 to {20 + TURNS}; "
            f"memory grew by {grown:.1f} MiB after chunk 20\n"
        )
    assert 0.9 <= ratio <= 1.1
    assert grown < 4
