"""Four and a half minutes of video: nothing grows."""

import sys
import time
from itertools import pairwise
from statistics import median

import psutil
import pytest
import torch

from headforcing.headforcing_core.checkpoint import build_wan
from headforcing.headforcing_core.demo.random_model import TINY, random_weights
from headforcing.headforcing_core.families import family_named
from headforcing.headforcing_core.generation import VideoRequest
from headforcing.headforcing_core.tensor_files import TensorDict

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


def test_1100_frames_in_constant_memory_and_constant_time(one_thread, capsys):
    """Time is the thread's own, so that other work on the machine does not count."""
    model = build_wan(TensorDict(random_weights(TINY)), heads=TINY.heads)
    rollout = VideoRequest(FAMILY, FRAMES, rows=16, columns=16, seed=0).rollout(
        model, torch.zeros(1, 4, TINY.text_dim)
    )
    bank, ticks, early = rollout.bank, [time.thread_time()], 0
    for done in rollout.run():
        ticks.append(time.thread_time())
        assert done.latent.isfinite().all()
        assert len(bank.frames) <= FAMILY.window - FAMILY.frames_per_chunk
        assert all(0 < done.chunk.stop - at <= FAMILY.horizon for at in bank.positions.values())
        if done.chunk.index == 20:
            early = memory()
    assert bank.frames[:2] == [0, 1]
    grown = (memory() - early) / MiB
    seconds = [after - before for before, after in pairwise(ticks)]
    ratio = median(seconds[-10:]) / median(seconds[20:30])
    with capsys.disabled():
        sys.stdout.write(
            f"\n{FRAMES} frames: the last ten of {len(seconds)} chunks take {ratio:.3f} x the time "
            f"of chunks 20 to 29; memory grew by {grown:.1f} MiB after chunk 20\n"
        )
    assert 0.9 <= ratio <= 1.1
    assert grown < 20
