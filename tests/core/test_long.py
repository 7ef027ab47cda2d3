"""Four and a half minutes of video: nothing grows."""

import sys
import time
from collections.abc import Iterator
from itertools import islice
from statistics import median

import psutil
import pytest
import torch
from plans import frames_held
from random_model import TINY, random_weights

from headforcing.headforcing_core import FinishedChunk, Rollout
from headforcing.headforcing_core.files.tensor_files import TensorDict
from headforcing.headforcing_core.generation import VideoRequest
from headforcing.headforcing_core.models import family_named
from headforcing.headforcing_core.models.checkpoint import build_wan
from headforcing.headforcing_core.video import PromptSchedule

FAMILY = family_named("self_forcing").tuned(window=12, sink=2)
FRAMES = 1101  # 367 chunks
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


def test_1100_frames_in_constant_memory_and_constant_time(one_thread, capsys):
    """The last ten chunks against chunks 20 to 29 of the same rollout, begun anew.

    They are timed in turns, because the machine itself is faster at one time than at another.
    """
    rollout = new_rollout()
    bank, last, early = rollout.bank, rollout.run(), 0
    for done in islice(last, len(rollout.clock) - 10):
        assert done.latent.isfinite().all()
        assert len(frames_held(bank)) <= FAMILY.window - FAMILY.frames_per_chunk
        if done.chunk.index == 20:
            early = memory()
    grown = (memory() - early) / MiB
    young = new_rollout().run()
    assert [done.chunk.index for done in islice(young, 20)][-1] == 19
    ratio = median(timed(last) / timed(young) for _ in range(10))
    assert next(last, None) is None
    assert frames_held(bank)[:2] == [0, 1] and FRAMES - 1 in frames_held(bank)
    with capsys.disabled():
        sys.stdout.write(
            f"\n{FRAMES} frames: the last ten of {len(rollout.clock)} chunks take {ratio:.3f} x "
            f"the time of chunks 20 to 29; memory grew by {grown:.1f} MiB after chunk 20\n"
        )
    assert 0.9 <= ratio <= 1.1
    assert grown < 4
