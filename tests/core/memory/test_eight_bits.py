"""Pasts in eight bits: as many bytes as planned, and the same past to a code."""

from dataclasses import replace

import pytest
import torch
from live_bytes import LiveBytes
from plans import DIM, GRID, HEADS, bank_for, map_for
from random_model import TINY, random_weights

from headforcing.headforcing_core import (
    CacheBank,
    CachePlan,
    ChunkClock,
    ModelGeometry,
    PromptSchedule,
    Rope,
)
from headforcing.headforcing_core.attention import HeadAttention
from headforcing.headforcing_core.files.tensor_files import TensorDict
from headforcing.headforcing_core.generation import VideoRequest
from headforcing.headforcing_core.inspection import map_of
from headforcing.headforcing_core.memory import cache_plan, group_heads
from headforcing.headforcing_core.memory.rows import CODES, Rows
from headforcing.headforcing_core.methods import NAMES, KVDtype, settings_named, with_values
from headforcing.headforcing_core.models import family_named
from headforcing.headforcing_core.models.checkpoint import build_wan
from headforcing.kernels import SCALES, blocks_of, decoded, rotate

EIGHT = [KVDtype.INT8, KVDtype.FP8]
CHUNKS = 8
# of the largest number of a block: half a step of 127, and of three bits behind the first
STEP = {KVDtype.INT8: 0.5 / 127, KVDtype.FP8: 2**-4}


def built(name, kept, frames=3 * CHUNKS):
    """The method with all types, or those named, kept in eight bits."""
    try:
        method = settings_named(name).build(3)
    except ValueError:
        pytest.skip("of other chunks")
    return method.kept_in(dict.fromkeys(method.rules, kept))


def chunks_of(bank, clock_chunks=CHUNKS, seed=0):
    """Roll random tokens through the caches; yield after every clean call."""
    rng = torch.Generator().manual_seed(seed)
    tokens = 3 * GRID.tokens_per_frame
    for chunk in ChunkClock(3 * clock_chunks, 3):
        opened = bank.open(chunk)
        reads = []
        for step in (0, None):
            for layer in range(bank.plan.geometry.layers):
                q, k, v = torch.randn(3, 1, tokens, HEADS, DIM, generator=rng)
                reads.append(HeadAttention(opened, step=step)(layer, q, k, v))
        yield chunk, opened, torch.stack(reads)
        bank.commit(chunk, torch.randn(1, 4, 3, 3, 4, generator=rng))


@pytest.mark.parametrize("kept", EIGHT)
@pytest.mark.parametrize("name", NAMES)
def test_what_is_allocated_is_what_was_planned(name, kept):
    bank = bank_for(built(name, kept), 24)
    held = sum(x.numel() * x.element_size() for x in bank.tensors)
    assert held == bank.plan.bytes
    assert {pool.k.codes.dtype for layer in bank.layers for pool in layer.pools} == {CODES[kept]}
    plain = bank_for(built(name, KVDtype.MODEL), 24).plan.bytes
    rows = (DIM + SCALES.itemsize * blocks_of(DIM)) / (4 * DIM)
    beside = [x.arena.beside for layer in bank.layers for x in layer.shares]
    sums = sum(each.tensors[-1].numel() * 4 for each in beside)
    turning = sum(each.pages.turning.numel() for each in beside)
    assert held - sums - turning == pytest.approx(rows * (plain - sums - 4 * turning))


@pytest.mark.parametrize("kept", EIGHT)
@pytest.mark.parametrize("name", NAMES)
def test_it_reads_what_it_would_have_read(name, kept):
    """The same frames, close to what they were: no scale of another head, no page of another."""
    plain, eight = (bank_for(built(name, one), 24) for one in (KVDtype.MODEL, kept))
    worst = []
    for (_, _, a), (_, _, b) in zip(chunks_of(plain), chunks_of(eight), strict=True):
        if not eight.plan.method.looks:
            pasts = ([ledger.past for ledger in bank.ledgers] for bank in (plain, eight))
            assert len({tuple(past) for past in pasts}) == 1
            worst.append(((a - b).norm() / a.norm()).item())
    # which tokens deep keeps follows from what it reads
    limit = {KVDtype.INT8: 0.015, KVDtype.FP8: 0.2 if name == "deep" else 0.07}[kept]
    assert all(0 < error < limit for error in worst)


def time_error(bank, frame, written):
    """Return how far the keys of a frame are from what was written, in scales of their blocks."""
    (share,) = bank.layers[0].shares
    arena = share.arena
    page = next(page for page in share.ledger.places.slots if page.frames == (frame,))
    slot = share.ledger.places.slots[page]
    at = share.ledger.read(bank._open.start)[page]
    k = arena.k.at(slice(None), slice(None), slot)
    right = rotate(written, arena.rotations.frame(at))
    scale = k.scales.float().repeat_interleave(32, -1)[..., :DIM]
    return ((decoded(*k) - right) / scale).abs().max().item()


@pytest.mark.parametrize("name", ["sink_window", "memrope"])
def test_turning_at_every_chunk_adds_nothing(name):
    """The first frame is turned in each of forty chunks and is one rounding away from two."""
    method = built(name, KVDtype.INT8)
    bank = bank_for(method, 120)
    errors, first = [], None
    rng = torch.Generator().manual_seed(0)
    for chunk in ChunkClock(120, 3):
        opened = bank.open(chunk)
        q, k, v = torch.randn(3, 1, 3 * GRID.tokens_per_frame, HEADS, DIM, generator=rng)
        for layer in range(bank.plan.geometry.layers):
            HeadAttention(opened, step=None)(layer, q, k, v)
        first = k[:, : GRID.tokens_per_frame].transpose(1, 2) if first is None else first
        if chunk.start:
            errors.append(time_error(bank, 0, first))
        bank.commit(chunk, torch.randn(1, 4, 3, 3, 4, generator=rng))
    # half a step in each of two channels, turned, and half a step once more
    assert max(errors) < 0.5 * 2**0.5 + 0.5 + 0.02
    assert max(errors[20:]) <= max(errors[5:20]) * 1.1


@pytest.mark.parametrize("kept", EIGHT)
def test_what_is_made_of_frames_has_scales_of_its_own(kept):
    """Of values the largest number counts, of keys the longest pair, which would be coarser."""
    made = torch.randn(2, 5, 64, generator=torch.Generator().manual_seed(0))
    rows = Rows.zeros(kept, (2, 5, 64), torch.float32, "cpu")
    blocks = made.unflatten(-1, (2, 32))
    pairs = blocks.unflatten(-1, (16, 2)).norm(dim=-1)
    for turns, largest in ((False, blocks.abs().amax(-1)), (True, pairs.amax(-1))):
        most = rows.like(made, turns=turns).scales.float() * (127 if kept is KVDtype.INT8 else 448)
        torch.testing.assert_close(most, largest, rtol=2**-7, atol=0)


def test_types_of_heads_are_kept_apart():
    """Memory heads in eight bits, local ones as they are: what those read is the same in bits."""
    settings = with_values(settings_named("head_forcing"), ["memory_kv_dtype=int8"])
    plain, mixed = (
        bank_for(one.build(3), 24) for one in (settings_named("head_forcing"), settings)
    )
    seen = set()
    for (_, _, a), (_, _, b) in zip(chunks_of(plain), chunks_of(mixed), strict=True):
        for layer, cache in enumerate(mixed.layers):
            for share in cache.shares:
                own = [x[layer :: len(mixed.layers)][:, :, :, list(share.heads)] for x in (a, b)]
                same = share.ledger.rule.kv_dtype is KVDtype.MODEL
                assert torch.equal(*own) == same
                seen.add(same)
    assert seen == {True, False}
    assert [len(layer.pools) for layer in mixed.layers] == [2, 2]


def test_no_cache_is_ever_there_in_full(monkeypatch):
    """While a layer is read, less than its keys in the model's dtype comes to be."""
    from headforcing.kernels.head_attention import sdpa

    monkeypatch.setattr(sdpa, "AT_ONCE", 1)  # a head at a time
    bank = bank_for(built("rolling", KVDtype.INT8), 60)
    *_, (_, opened, _) = chunks_of(bank, 9)
    tokens = 3 * GRID.tokens_per_frame
    q = torch.randn(1, tokens, HEADS, DIM)
    with LiveBytes() as live:
        HeadAttention(opened)(0, q, q, q)
    most = max(span.length for read in opened.reads(0) for span in read.rows.spans)
    head = most * DIM * 4
    # of the chunk's own tokens a dozen, of the past one head's codes, scales, keys and values
    assert live.peak < 14 * q.numel() * 4 + 6 * head
    assert 6 * head < 2 * 4 * DIM * sum(s.length for r in opened.reads(0) for s in r.rows.spans)


@pytest.mark.parametrize("kept", EIGHT)
@pytest.mark.parametrize(
    "family", ["self_forcing", "rolling_forcing", "reward_forcing", "krea_14b"]
)
def test_every_kind_of_rollout_runs_in_eight_bits(family, kept):
    """Kept pasts, joint windows, means, and pasts that are computed anew and faded."""
    family = family_named(family)
    config = replace(TINY, layers=2, in_dim=family.channels, out_dim=family.channels)
    model = build_wan(TensorDict(random_weights(config)), heads=config.heads)
    found = []
    for one in (KVDtype.MODEL, kept):
        method = family.method
        method = method.kept_in(dict.fromkeys(method.rules, one))
        if method.rebuilt:
            method = replace(method, rebuilt=replace(method.rebuilt, keep_first=True, fade=0.3))
        request = VideoRequest(
            family, 18, 8, 12, 0, method=method, head_map=map_of(method, config.geometry)
        )
        text = PromptSchedule.constant(torch.zeros(1, 4, config.text_dim))
        found.append(torch.cat([done.latent for done in request.rollout(model, text).run()], 2))
    error = ((found[0] - found[1]).norm() / found[0].norm()).item()
    assert 0 < error < {KVDtype.INT8: 0.03, KVDtype.FP8: 0.12}[kept]


def test_a_past_that_is_not_finite_is_seen():
    bank = bank_for(built("rolling", KVDtype.INT8), 24)
    rolled = chunks_of(bank, 3)
    _, opened, _ = next(rolled)
    q, k, v = torch.randn(3, 1, 3 * GRID.tokens_per_frame, HEADS, DIM)
    k[0, 0, 0, 0] = torch.inf
    assert HeadAttention(opened)(0, q, k, v)[:, :, 0].isnan().all()


def test_a_device_without_short_floats_is_refused_in_a_sentence(monkeypatch):
    """It is not said to have too little memory."""
    monkeypatch.setattr(cache_plan, "has_dtype", lambda device, dtype: dtype is torch.int8)
    bank_for(built("rolling", KVDtype.INT8), 24)
    with pytest.raises(RuntimeError, match=r"keys and values in fp8 must lie on .* use int8"):
        bank_for(built("rolling", KVDtype.FP8), 24)


@pytest.mark.parametrize("name", ["head_forcing:int8", "pyramid", "deep", "memrope"])
def test_videos_side_by_side_do_not_mix(name):
    """Scales of one video are not read with the codes of another."""
    method, found = built(name, KVDtype.INT8), []
    if method.looks:
        method = with_values(settings_named(name), ["episodes.update=fifo_stride"]).build(3)
    geometry = ModelGeometry(2, HEADS, DIM)
    for videos in ([0, 1], [0], [1]):
        groups = group_heads(method.fitted(24, 3), map_for(method), geometry)
        plan = CachePlan(geometry, Rope(DIM, GRID), groups, 3, 21, len(videos), method=method)
        bank, reads = CacheBank(plan), []
        rngs = [torch.Generator().manual_seed(video) for video in videos]
        for chunk in ChunkClock(24, 3):
            opened = bank.open(chunk)
            for layer in range(2):
                shape = (3, 1, 3 * GRID.tokens_per_frame, HEADS, DIM)
                q, k, v = torch.cat([torch.randn(shape, generator=rng) for rng in rngs], 1)
                reads.append(HeadAttention(opened, step=None)(layer, q, k, v))
            bank.commit(chunk)
        found.append(torch.stack(reads))
    torch.testing.assert_close(found[0], torch.cat(found[1:], 1), atol=1e-5, rtol=1e-5)
