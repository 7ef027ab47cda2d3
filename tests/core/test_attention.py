"""The one invariant: caches change what is stored, never what is computed."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from plans import frames_held, plan_of

from headforcing.headforcing_core import (
    CacheBank,
    ChunkClock,
    HeadAttention,
    HeadPolicy,
    LatentGrid,
    ModelGeometry,
    PositionRule,
    Rope,
    device,
)
from headforcing.headforcing_core.attention import Observer
from headforcing.kernels import rotate

B, H, D = 2, 3, 24
GRID = LatentGrid(2, 3, 1, 1)
P = GRID.tokens_per_frame
ROPE = Rope(D, GRID)
CPU = torch.device("cpu")


def bank(window, sink, chunk, positions=PositionRule.ABSOLUTE, layers=1, horizon=99):
    policy = HeadPolicy.of_window(window, sink, chunk)
    geometry = ModelGeometry(layers, H, D)
    return CacheBank(plan_of(geometry, ROPE, policy, positions, chunk, horizon, batch=B))


def projections(frames, seed=0):
    rng = torch.Generator().manual_seed(seed)
    return [torch.randn(B, frames * P, H, D, generator=rng) for _ in range(3)]


def tokens(chunk):
    return slice(chunk.start * P, chunk.stop * P)


def attend(opened, q, k, v, observe: Observer | None = None):
    return HeadAttention(opened, observe)(0, *(x[:, tokens(opened.chunk)] for x in (q, k, v)))


def run(caches, clock, q, k, v):
    outputs = []
    for chunk in clock:
        outputs.append(attend(caches.open(chunk), q, k, v))
        caches.commit(chunk)
    return torch.cat(outputs, 1)


def by_hand(clock, q, k, v, kept, place=None):
    """No cache: rotate what each chunk may see to where it stands, and attend in float64."""
    rows = []
    for chunk in clock:
        seen = kept(chunk)
        where = place(seen, chunk) if place else {f: f for f in seen}
        at = {**where, **{f: f for f in chunk.frames}}
        frames = [*seen, *chunk.frames]
        index = torch.cat([torch.arange(f * P, (f + 1) * P) for f in frames])
        turned_q = rotate(q[:, tokens(chunk)], ROPE.frames(chunk.frames, CPU)).double()
        turned_k = rotate(k[:, index], ROPE.frames([at[f] for f in frames], CPU)).double()
        weights = (torch.einsum("bthd,bshd->bhts", turned_q, turned_k) * D**-0.5).softmax(-1)
        rows.append(torch.einsum("bhts,bshd->bthd", weights, v[:, index].double()))
    return torch.cat(rows, 1).float()


@settings(max_examples=25)
@given(
    chunk=st.integers(1, 3),
    sink=st.integers(0, 3),
    room=st.integers(0, 4),
    closed_up=st.booleans(),
)
def test_a_cache_computes_what_its_frames_say(chunk, sink, room, closed_up):
    clock = ChunkClock.covering(13, chunk)
    q, k, v = projections(clock.total_frames)
    rule = PositionRule.CONTIGUOUS if closed_up else PositionRule.ABSOLUTE
    got = run(bank(sink + room + chunk, sink, chunk, rule), clock, q, k, v)

    def kept(now):
        return sorted({f for f in range(now.start) if f < sink or f >= now.start - room})

    def close_up(frames, now):
        return {f: now.start - len(frames) + i for i, f in enumerate(frames)}

    expected = by_hand(clock, q, k, v, kept, close_up if closed_up else None)
    torch.testing.assert_close(got, expected, atol=2e-5, rtol=1e-4)


@pytest.mark.parametrize("rule", PositionRule)
def test_unlimited_caches_equal_full_attention(rule):
    clock = ChunkClock(9, 3)
    q, k, v = projections(9)
    got = run(bank(9, 0, 3, rule), clock, q, k, v)
    everything = by_hand(clock, q, k, v, lambda c: range(c.start))
    torch.testing.assert_close(got, everything, atol=2e-5, rtol=1e-4)


def test_drafts_leave_the_past_alone():
    caches, clock = bank(9, 1, 3), ChunkClock(9, 3)
    q, k, v = projections(9)
    *_, last = clock
    run(caches, list(clock)[:-1], q, k, v)
    opened = caches.open(last)
    (arena,) = (share.arena for share in caches.layers[0].shares)
    frames, past = frames_held(caches), [x.codes.clone() for x in (arena.k, arena.v)]
    slots = [i for i, f in enumerate(frames) if f not in last.frames]
    for seed in range(3):
        attend(opened, *projections(9, seed))
    for before, after in zip(past, (arena.k, arena.v), strict=True):
        assert torch.equal(before[:, :, slots], after.codes[:, :, slots])
    assert frames_held(caches) == frames


def test_the_last_call_of_a_chunk_is_what_stays():
    """Drafts leave no trace: only the keys of the clean pass are the past."""
    clock = ChunkClock(6, 3)
    q, k, v = projections(6)
    drafted, plain = bank(6, 0, 3), bank(6, 0, 3)
    for chunk in clock:
        one, other = drafted.open(chunk), plain.open(chunk)
        attend(one, *projections(6, seed=7))
        assert torch.equal(attend(one, q, k, v), attend(other, q, k, v))
        for caches in (drafted, plain):
            caches.commit(chunk)


def test_batch_entries_do_not_mix():
    clock = ChunkClock(9, 3)
    q, k, v = projections(9)
    whole = run(bank(6, 1, 3), clock, q, k, v)
    swapped = run(bank(6, 1, 3), clock, *(x.flip(0) for x in (q, k, v)))
    torch.testing.assert_close(swapped, whole.flip(0), atol=0, rtol=0)


def test_heads_do_not_mix():
    clock = ChunkClock(9, 3)
    q, k, v = projections(9)
    whole = run(bank(6, 1, 3), clock, q, k, v)
    order = [2, 0, 1]
    permuted = run(bank(6, 1, 3), clock, *(x[:, :, order] for x in (q, k, v)))
    torch.testing.assert_close(permuted, whole[:, :, order], atol=0, rtol=0)


def test_re_encoded_positions_stay_within_the_horizon():
    caches = bank(6, 2, 3, PositionRule.CONTIGUOUS, horizon=6)
    q, k, v = projections(60)
    for chunk in ChunkClock(60, 3):
        attend(caches.open(chunk), q, k, v)
        positions = caches.ledgers[0].read(chunk.start).values()
        assert all(0 < chunk.stop - at <= 6 for at in positions)
        caches.commit(chunk)
    with pytest.raises(ValueError, match="at most horizon=5 frames when positions are re-encoded"):
        bank(6, 2, 3, PositionRule.CONTIGUOUS, horizon=5)


@pytest.mark.parametrize("rule", PositionRule)
def test_bytes_are_known_before_anything_is_allocated(rule):
    caches = bank(9, 2, 3, rule, layers=4)
    held = sum(x.untyped_storage().nbytes() for x in caches.tensors)
    assert caches.plan.bytes == held


def test_memory_that_is_not_there_is_not_asked_for(monkeypatch):
    """Linux hands out memory it does not have and ends the process when it is used."""
    plan = bank(9, 2, 3).plan
    monkeypatch.setattr(device, "memory_of", lambda device: plan.bytes - 1)
    with pytest.raises(RuntimeError, match=r"the caches need .* GiB, which cpu does not have"):
        CacheBank(plan)
    monkeypatch.setattr(device, "memory_of", lambda device: plan.bytes)
    CacheBank(plan)


def test_no_memory_is_one_sentence():
    plan = bank(9, 2, 3).plan
    huge = replace(plan, rope=Rope(D, LatentGrid(10**6, 10**6, 1, 1)))
    with pytest.raises(RuntimeError, match=r"which cpu does not have \(it has .* GiB\); use a"):
        CacheBank(huge)
