"""What the loop around attention costs: what is sent, allocated and computed beside it."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from fake_host import apart
from plans import map_for
from random_model import TINY, random_weights
from torch.autograd import DeviceType
from torch.autograd.profiler_util import Interval
from torch.nn.functional import scaled_dot_product_attention

from headforcing.headforcing_core import (
    ChunkClock,
    HeadAttention,
    LatentGrid,
    ModelGeometry,
    PromptSchedule,
    Rope,
)
from headforcing.headforcing_core.attention import served_by
from headforcing.headforcing_core.files.tensor_files import TensorDict
from headforcing.headforcing_core.generation import VideoRequest
from headforcing.headforcing_core.inspection import Crossed, crossings
from headforcing.headforcing_core.memory import CacheBank, CachePlan, group_heads
from headforcing.headforcing_core.methods import KVDtype, settings_named, with_values
from headforcing.headforcing_core.models import family_named
from headforcing.headforcing_core.models.checkpoint import build_wan
from headforcing.kernels import span_table

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "rollout.py"
GEOMETRY, GRID = ModelGeometry(3, 4, 24), LatentGrid(4, 4, 1, 1)
# methods that have something out of the way, and choose it without looking
FIRST = "head_forcing,episodes.update=fifo_stride"
SMALL = "head_forcing:compact,episodes.update=reservoir,episodes.pool=2"
MOVING = {
    KVDtype.MODEL: (
        FIRST,
        SMALL,
        "deep",
        "memrope",
        "rolling_sink",
        "infinity_rope",
        "reward_forcing",
    ),
    KVDtype.INT8: (FIRST, "pyramid", "deep", "memrope", "rolling_sink"),
}
ROPE, CPU = Rope(24, GRID), torch.device("cpu")


def plan_of(name, count, kept=KVDtype.MODEL, offload=False):
    name, *values = name.split(",")
    settings = with_values(settings_named(name), values)
    method = settings.build(3).fitted(3 * count, 3).on_grid(GRID.tokens_per_frame)
    rules = {t: replace(r, kv_dtype=kept, offload=offload) for t, r in method.rules.items()}
    method = replace(method, rules=rules)
    groups = group_heads(method, map_for(method, GEOMETRY.heads, GEOMETRY.layers), GEOMETRY)
    return CachePlan(GEOMETRY, ROPE, groups, 3, 21, method=method)


def chunks(name, count, observe=None, dense=None, kept=KVDtype.MODEL, offload=False):
    """Yield the bank after each chunk of random keys, each drafted once and committed."""
    plan = plan_of(name, count, kept, offload)
    bank, rng = CacheBank(plan), torch.Generator().manual_seed(0)
    for chunk in ChunkClock(3 * count, 3):
        opened = bank.open(chunk)
        for step in (0, None):
            attend = HeadAttention(opened, observe, step, dense)
            for layer in range(3):
                qkv = torch.randn(3, 1, 3 * GRID.tokens_per_frame, 4, 24, generator=rng)
                attend(layer, *qkv)
        bank.commit(chunk, torch.randn(1, 4, 3, 4, 4, generator=rng))
        yield bank


@pytest.mark.parametrize("name", ["rolling", "head_forcing", "pyramid", "memrope"])
def test_tables_say_what_spans_say_and_are_sent_together(name):
    seen = []

    def observe(read):
        (pool,) = read.opened.reads(read.layer)
        spans, table = pool.rows
        assert torch.equal(table, span_table(spans, "cpu"))
        seen.append((read.opened.chunk.index, table.untyped_storage().data_ptr(), table))

    for _ in chunks(name, 12, observe):
        pass
    sent = {}
    for index, storage, _ in seen:
        sent.setdefault(index, set()).add(storage)
    assert len(seen) >= 12 * 2 * 3 and {len(storages) for storages in sent.values()} == {1}


@pytest.mark.parametrize("name", ["rolling", "head_forcing", "pyramid", "memrope", "deep"])
def test_caches_are_allocated_once(name):
    places = {tuple(x.data_ptr() for x in bank.tensors) for bank in chunks(name, 12)}
    assert len(places) == 1


@pytest.mark.parametrize(
    ("name", "kept"),
    [(name, kept) for kept, names in MOVING.items() for name in names]
    + [("rolling", KVDtype.INT8)],
)
def test_what_crosses_to_the_host_and_back_is_foreseen(name, kept, monkeypatch):
    """Copies and their bytes, chunk by chunk."""
    ways, count = apart(monkeypatch), 12
    foreseen = crossings(plan_of(name, count, kept, True), ChunkClock(3 * count, 3), 2, 2)
    moved = 0
    for bank, expected in zip(chunks(name, count, kept=kept, offload=True), foreseen, strict=True):
        (way,) = ways
        found = [Crossed(len(sizes), sum(sizes)) for sizes in (way.to_device, way.to_host)]
        assert found == list(expected)
        moved += sum(way.to_device)
        there = bank.plan.host_bytes
        way.to_device.clear(), way.to_host.clear()
    assert (moved > 0) == (there > 0) == (name != "rolling")


@pytest.mark.parametrize("name", ["rolling", "head_forcing", "pyramid"])
def test_a_hosts_attention_takes_the_place_of_ours(name):
    """It sees groups of like heads, and what it says is what comes out."""
    calls, reads = [], {None: [], "host": []}

    def dense(q, k, v):
        assert q.shape[:2] == k.shape[:2] == v.shape[:2]
        calls.append(q.shape[1])
        return scaled_dot_product_attention(q, k, v).transpose(1, 2)

    for who, attend in ((None, None), ("host", dense)):
        for bank in chunks(name, 9, dense=attend):
            reads[who].append(torch.cat([x.flatten() for x in bank.tensors]))
    assert sum(calls) >= 9 * 2 * 3 * 4
    for one, other in zip(reads[None], reads["host"], strict=True):
        torch.testing.assert_close(one, other)


def test_what_reads_the_caches_is_told():
    *_, bank = chunks("head_forcing", 2)
    assert served_by(bank) == "sdpa"  # these are on the CPU
    assert served_by(bank, scaled_dot_product_attention) == "the attention chosen in the host"


def test_a_compiled_model_is_compiled_once_and_gives_the_same():
    """Twelve layers, of which the compiler must not make twelve versions; a prompt on the way."""
    # brings Triton along, which kernels' tests must be the first to import
    from torch._dynamo.utils import counters

    config = replace(TINY, layers=12)
    model = build_wan(TensorDict(random_weights(config)), heads=config.heads)
    method = settings_named("head_forcing").build()
    request = VideoRequest(
        *(family_named("self_forcing"), 18, 4, 4, 0),
        method=method,
        head_map=map_for(method, config.heads, config.layers),
    )
    texts = torch.randn(2, 1, 5, config.text_dim).unbind()
    prompts = PromptSchedule((0, 12), texts)
    plain = [done.latent for done in request.rollout(model, prompts).run()]
    torch.compiler.reset()
    counters.clear()
    model.compile(backend="aot_eager")
    graphs = []
    for done, latent in zip(request.rollout(model, prompts).run(), plain, strict=True):
        torch.testing.assert_close(done.latent, latent)
        graphs.append(counters["stats"]["unique_graphs"])
    assert 0 < graphs[0] == graphs[-1] <= 4


def run(*options):
    # one thread: those of others on the same cores make small operations wait
    done = subprocess.run(
        [sys.executable, SCRIPT, *options], env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_time_goes_to_matrix_products_and_attention(tmp_path):
    """On the CPU, at 256 tokens per frame, a layer of the true width."""
    file = tmp_path / "shares.json"
    run("--profile", "--json", file, "--methods", "head_forcing")
    shares = json.loads(file.read_text())["shares"]["head_forcing"]
    assert sum(shares.values()) == pytest.approx(1)
    needed = [part for name, part in shares.items() if "mm" in name or "attention" in name]
    assert sum(needed) > 0.85, dict(list(shares.items())[:8])


def test_the_benchmark_runs_without_a_gpu_when_asked(tmp_path):
    file = tmp_path / "small.json"
    run("--small", "--compile", "--json", file)
    about = json.loads(file.read_text())
    assert about["command"] == ["python", "benchmarks/rollout.py", "--compile", "--small"]
    rows = about["rows"]
    assert {row["compiled"] for row in rows} == {True, False}
    assert {row["method"] for row in rows} >= {"rolling", "head_forcing", "pyramid", "full"}
    assert all(row["seconds"] > 0 and row["peak_gib"] is None for row in rows)


def test_what_a_gpu_did_is_counted_without_what_the_cpu_did(monkeypatch):
    monkeypatch.syspath_prepend(SCRIPT.parent)
    benchmark = import_module("rollout")
    kinds = {DeviceType.CPU: (100, 50), DeviceType.CUDA: (3, 4, 5)}
    events = [
        SimpleNamespace(device_type=kind, time_range=Interval(1000, 1000 + n))
        for kind, lengths in kinds.items()
        for n in lengths
    ]
    assert benchmark.device_work(events) == (3, pytest.approx(12e-6))


@pytest.mark.skipif(torch.cuda.is_available(), reason="with a GPU it would measure")
def test_without_a_gpu_it_says_so_in_a_sentence():
    done = subprocess.run([sys.executable, SCRIPT], capture_output=True, text=True, check=False)
    assert done.returncode == 1 and done.stdout == "" and done.stderr.count("\n") == 1
    assert "torch must see a GPU to time a rollout" in done.stderr
