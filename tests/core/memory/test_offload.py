"""What lies out of the way comes back as it was, in time, and nothing else does."""

from dataclasses import replace

import pytest
import torch
from every_family import REFUSED, Recoder, every_family, model_of, request_of, whole
from fake_host import apart
from random_model import TINY

from headforcing.headforcing_core import PromptSchedule
from headforcing.headforcing_core.methods import NAMES


def made(request):
    """With a new prompt, and a cut."""
    size = request.family.frames_per_chunk
    texts = torch.randn(3, 1, 4, TINY.text_dim, generator=torch.Generator().manual_seed(2))
    prompts = PromptSchedule((0, 5 * size, 8 * size), tuple(texts), frozenset({8 * size}))
    rollout = request.rollout(model_of(request.family.channels), prompts, recoder=Recoder())
    return whole(list(rollout.run())), rollout.bank


@pytest.mark.parametrize("method", NAMES)
@every_family
def test_a_video_is_the_same(name, method, monkeypatch):
    if (method, name) in REFUSED:
        return
    request = request_of(name, 9, method)
    plain, bank = made(request)
    ways = apart(monkeypatch)
    video, bank = made(replace(request, method=request.method.offloading()))
    assert torch.equal(video, plain)
    assert sum(x.numel() * x.element_size() for x in bank.tensors) == bank.plan.bytes
    assert sum(x.numel() * x.element_size() for x in bank.away) == bank.plan.host_bytes
    assert all(x.is_meta for x in bank.away)
