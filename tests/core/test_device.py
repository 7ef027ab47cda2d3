"""The whole loop on a device whose tensors have no values.

Nothing can be read back from there, and nothing of the CPU can be mixed with it: what passes here
waits for no device and has every tensor where it belongs.
"""

from contextlib import nullcontext
from dataclasses import replace

import pytest
import torch
from random_model import TINY

from headforcing.headforcing_core import PromptSchedule
from headforcing.headforcing_core.families import family_named
from headforcing.headforcing_core.generation import VideoRequest
from headforcing.headforcing_core.head_map import HeadMap
from headforcing.headforcing_core.methods import NAMES, settings_named, with_values
from headforcing.headforcing_core.wan import WanModel

CONFIG, CHUNKS = replace(TINY, layers=1), 10
# methods that compare frames or heads fetch what they compared once a chunk, and only then
LOOK = {"head_forcing", "forcing_kv", "dummy"}


@pytest.fixture
def fetched(monkeypatch):
    """Let values be asked for, count how often, and answer nought."""
    counts, read = [], torch.Tensor.tolist

    def answer(self):
        if not self.is_meta:
            return read(self)
        counts.append(self.numel())
        return [0.0] * self.numel()

    monkeypatch.setattr(torch.Tensor, "tolist", answer)
    # knows no such device; nothing here is under autocast
    monkeypatch.setattr(torch, "autocast", lambda *rest, **options: nullcontext())
    return counts


@pytest.mark.parametrize("name", [name for name in NAMES if ":" not in name])
def test_a_rollout_leaves_its_tensors_on_the_device(name, fetched):
    settings = settings_named(name)
    if name == "forcing_kv":
        settings = with_values(settings, ["bands.bands=4"])
    method, head_map = settings.build(), None
    if method.needs_map:
        kinds = list(method.rules)
        rows = (
            tuple(kinds[(head + layer) % len(kinds)] for head in range(CONFIG.heads))
            for layer in range(CONFIG.layers)
        )
        head_map = HeadMap(method.scheme, tuple(rows))
    request = VideoRequest(
        *(family_named("self_forcing"), 3 * CHUNKS, 8, 8), seed=0, method=method, head_map=head_map
    )
    with torch.device("meta"):
        model = WanModel(CONFIG).to(torch.bfloat16).eval().requires_grad_(False)
    texts = tuple(torch.randn(1, 7, CONFIG.text_dim) for _ in range(2))
    rollout = request.rollout(model, PromptSchedule((0, 21), texts))
    done = list(rollout.run())
    assert len(done) == CHUNKS and all(chunk.latent.is_meta for chunk in done)
    assert all(tensor.is_meta for tensor in rollout.bank.tensors)
    if name in LOOK:
        # a new prompt may commit the last chunks again, which looks at them again
        assert 0 < len(fetched) <= 2 * CHUNKS
    else:
        assert fetched == []
