"""The whole loop on a device whose tensors have no values.

Nothing can be read back from there, and nothing of the CPU can be mixed with it: what passes here
waits for no device, on the way there or back, and has every tensor where it belongs.
"""

from collections import Counter
from contextlib import nullcontext
from dataclasses import replace

import pytest
import torch
from plans import map_for
from random_model import TINY, random_weights
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from headforcing.headforcing_core import PromptSchedule
from headforcing.headforcing_core.files.tensor_files import TensorDict
from headforcing.headforcing_core.generation import VideoRequest
from headforcing.headforcing_core.methods import NAMES, settings_named, with_values
from headforcing.headforcing_core.models import WanModel, family_named, wan
from headforcing.headforcing_core.models.checkpoint import build_wan
from headforcing.kernels.head_attention import sdpa

CHUNKS = 8
# methods that compare frames or heads fetch what they compared once a chunk, and only then
LOOK = {"head_forcing", "forcing_kv", "dummy"}
# which tokens, or which types: what was chosen in a layer is sent to it
CHOOSE_PER_LAYER = {"deep", "dummy"}


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
    # taken apart into a dozen operations there
    for module in (sdpa, wan):
        monkeypatch.setattr(module, "scaled_dot_product_attention", lambda q, *kv, **_: q.clone())
    return counts


# methods that are for models of another kind
OWN = {"krea": "krea_14b", "rolling_forcing": "rolling_forcing"}
EVERY = pytest.mark.parametrize("name", [name for name in NAMES if ":" not in name])


def rollout_of(name, model):
    """Eight chunks, a new prompt with the last."""
    settings, config = settings_named(name), model.config
    if name == "forcing_kv":
        settings = with_values(settings, ["bands.bands=4"])
    if name == "krea":
        settings = with_values(settings, ["keep_first=true"])
    method = settings.build()
    head_map = map_for(method, config.heads, config.layers)
    family = family_named(OWN.get(name, "self_forcing"))
    request = VideoRequest(*(family, 3 * CHUNKS, 8, 8), seed=0, method=method, head_map=head_map)
    rng = torch.Generator().manual_seed(0)
    texts = torch.randn(2, 1, 7, config.text_dim, generator=rng).unbind()
    return request.rollout(model, PromptSchedule((0, 21), texts))


class Sent(TorchDispatchMode):
    """Counts what goes from the CPU to the device, by whether it is waited for."""

    def __init__(self):
        super().__init__()
        self.counts = Counter()

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        given, result = tree_leaves((args, kwargs)), function(*args, **(kwargs or {}))
        on_cpu = any(
            isinstance(x, torch.Tensor) and x.device.type == "cpu" and x.dim() for x in given
        )
        if on_cpu and any(isinstance(x, torch.Tensor) and x.is_meta for x in tree_leaves(result)):
            self.counts[bool((kwargs or {}).get("non_blocking"))] += 1
        return result


@pytest.fixture
def hidden(monkeypatch):
    """Count lists as an index and tensors made on the device: they are sent, and waited for."""
    counts = Counter()

    def counted(function):
        def inner(self, index, *rest):
            parts = index if isinstance(index, tuple) else (index,)
            if self.is_meta and any(isinstance(part, list | tuple | range) for part in parts):
                counts["index"] += 1
            return function(self, index, *rest)

        return inner

    for name in ("__getitem__", "__setitem__"):
        monkeypatch.setattr(torch.Tensor, name, counted(getattr(torch.Tensor, name)))
    make = torch.tensor

    def made(*args, device=None, **options):
        counts["tensor"] += device is not None and torch.device(device).type == "meta"
        return make(*args, device=device, **options)

    monkeypatch.setattr(torch, "tensor", made)
    return counts


@EVERY
def test_the_loop_waits_for_no_device(name, fetched, hidden):
    """And how much is sent does not depend on the layers, once the caches are there."""
    sent = {}
    for layers in (1, 2):
        with torch.device("meta"):
            model = WanModel(replace(TINY, layers=layers)).to(torch.bfloat16)
        rollout = rollout_of(name, model.requires_grad_(False))
        run = rollout.run()
        first = next(run)
        with Sent() as sent[layers]:
            done = [first, *run]
        assert len(done) == CHUNKS and all(chunk.latent.is_meta for chunk in done)
        assert all(tensor.is_meta for tensor in rollout.bank.tensors)
        if name in LOOK:
            # a new prompt may commit the last chunks again, which looks at them again
            assert 0 < len(fetched) <= 2 * CHUNKS
        else:
            assert fetched == []
        fetched.clear()
    assert hidden.total() == 0
    assert sent[1].counts[False] == 0 < sent[1].counts[True]
    if name not in CHOOSE_PER_LAYER:
        assert sent[1].counts == sent[2].counts


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@EVERY
def test_a_gpu_gives_what_the_cpu_gives(name):
    """In float32, in which Triton writes and turns keys, and PyTorch reads them."""
    latents = []
    for device in ("cpu", "cuda"):
        model = build_wan(TensorDict(random_weights(TINY)), heads=TINY.heads).to(device)
        latents.append([done.latent.cpu() for done in rollout_of(name, model).run()])
    for expected, found in zip(*latents, strict=True):
        torch.testing.assert_close(found, expected, atol=1e-3, rtol=1e-3)
