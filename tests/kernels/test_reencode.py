"""Keys at new positions in time, against complex multiplication in float64."""

import pytest
import torch
from closeness import assert_as_good_as
from hypothesis import given, settings
from hypothesis import strategies as st
from ragged import DEVICE, EXACT, TRITON_DTYPES, needs_triton

from headforcing.headforcing_core import Rope
from headforcing.headforcing_core.video import LatentGrid
from headforcing.kernels import ReencodeImpl, reencode, rotate
from headforcing.kernels.reencode import reference

EVERY = [ReencodeImpl.EAGER, pytest.param(ReencodeImpl.TRITON, marks=needs_triton)]


def make(batch, heads, tokens, dim, channels, time, slots, pages, moved, dtype, seed=0):
    """Keys as part of a pool, raw channels, and which page goes where, its time turned how far."""
    rng = torch.Generator().manual_seed(seed)
    rows = slots * tokens + 3
    pool = torch.randn(batch, heads * rows, dim, generator=rng).to(DEVICE, dtype)
    keys = pool.unflatten(1, (heads, rows))[:, :, 3:].unflatten(2, (slots, tokens))
    raw = torch.randn(batch, heads, pages, tokens, channels, generator=rng).to(DEVICE, dtype)
    to = torch.randperm(slots, generator=rng)[:moved].to(DEVICE)
    source = torch.randint(pages, (moved,), generator=rng).to(DEVICE)
    angles = 7 * torch.randn(moved, time // 2, generator=rng, dtype=torch.float64)
    return keys, raw, to, source, torch.polar(torch.ones(()).double(), angles).cfloat().to(DEVICE)


def fresh(keys):
    """Copy keys as they lie in their pool."""
    return keys._base.clone().as_strided(keys.shape, keys.stride(), keys.storage_offset())


def assert_right(impl, case):
    keys, raw, slots, source, turns = case
    exact, found = keys.double(), fresh(keys)
    reference.forward(exact, raw.double(), slots, source, turns)
    reencode(found, raw, slots, source, turns, impl=impl)
    time, channels = 2 * turns.shape[-1], raw.shape[-1]
    error = (found.double() - exact).abs().max().item()
    largest = raw.abs().max().item() if len(slots) else 0
    assert error <= 2 * torch.finfo(keys.dtype).eps * largest, f"max error {error:.3e}"
    # what does not move is what it was, bit for bit
    stays = [slot for slot in range(keys.shape[2]) if slot not in slots.tolist()]
    assert torch.equal(found[:, :, stays], keys[:, :, stays])
    assert torch.equal(found[..., channels:], keys[..., channels:])
    # and what is not turned is copied
    copied = raw[:, :, source, :, time:]
    assert torch.equal(found[:, :, slots, :, time:channels], copied)
    around, before = found._base.clone(), keys._base.clone()
    for pool in (around, before):
        pool.as_strided(keys.shape, keys.stride(), keys.storage_offset()).zero_()
    assert torch.equal(around, before)


@pytest.mark.parametrize("impl", EVERY)
@settings(max_examples=50)
@given(
    batch=st.integers(1, 2),
    heads=st.integers(1, 3),
    tokens=st.sampled_from([1, 5, 63, 65, 130]),
    sizes=st.sampled_from(
        [
            *((16, 2, 2), (16, 8, 6), (48, 16, 16), (80, 28, 28), (128, 44, 44), (64, 64, 64)),
            *((48, 48, 16), (128, 128, 44), (40, 40, 0), (64, 63, 62), (16, 1, 0)),
        ]
    ),
    slots=st.integers(1, 4),
    pages=st.integers(1, 3),
    dtype=st.sampled_from([EXACT, torch.float16]),
    data=st.data(),
)
def test_any_pages_in_any_slots(impl, batch, heads, tokens, sizes, slots, pages, dtype, data):
    moved, seed = data.draw(st.integers(0, slots)), data.draw(st.integers(0, 999))
    assert_right(impl, make(batch, heads, tokens, *sizes, slots, pages, moved, dtype, seed))


@needs_triton
@pytest.mark.parametrize("dtype", TRITON_DTYPES)
@pytest.mark.parametrize("channels", [44, 128])
def test_triton_is_as_good_as_plain_code(channels, dtype):
    keys, *case = make(2, 3, 65, 128, channels, 44, 4, 3, 3, dtype)
    exact = keys.double()
    reference.forward(exact, case[0].double(), *case[1:])
    results = {impl: fresh(keys) for impl in (ReencodeImpl.EAGER, ReencodeImpl.TRITON)}
    for impl, found in results.items():
        reencode(found, *case, impl=impl)
    assert_as_good_as(results[ReencodeImpl.TRITON], results[ReencodeImpl.EAGER], exact)


@pytest.mark.parametrize("impl", EVERY)
def test_position_zero_changes_nothing(impl):
    keys, raw, slots, source, turns = make(1, 2, 5, 48, 16, 16, 3, 2, 2, EXACT)
    found = fresh(keys)
    reencode(found, raw, slots, source, torch.ones_like(turns), impl=impl)
    assert torch.equal(found[:, :, slots, :, :16], raw[:, :, source])


@pytest.mark.parametrize("impl", EVERY)
def test_it_is_the_rotation_of_the_model(impl):
    """Time channels turned here and all channels turned at once are the same keys."""
    rope, frames = Rope(48, LatentGrid(6, 8, 2, 2)), [5, 0, 17]
    tokens, time = rope.grid.tokens_per_frame, rope.channels[0]
    rng = torch.Generator().manual_seed(1)
    raw = torch.randn(1, 2, 3, tokens, 48, generator=rng).to(DEVICE, EXACT)
    at, still = (
        rope.frames(positions, DEVICE).squeeze(1).unflatten(0, (3, tokens))
        for positions in (frames, [0, 0, 0])
    )
    keys, whole = rotate(raw, still), rotate(raw, at)
    pages, turns = torch.arange(3, device=DEVICE), rope.temporal(frames, DEVICE).squeeze(1)
    reencode(keys, raw[..., :time].contiguous(), pages, pages, turns, impl=impl)
    torch.testing.assert_close(keys, whole, atol=2 * torch.finfo(EXACT).eps, rtol=0)


def test_without_a_gpu_it_is_what_the_model_does_bit_for_bit():
    keys, raw, slots, source, turns = make(2, 2, 5, 48, 16, 16, 3, 2, 3, torch.bfloat16)
    found, plain = fresh(keys), fresh(keys)
    reencode(found, raw, slots, source, turns, impl=ReencodeImpl.EAGER)
    plain[:, :, slots, :, :16] = rotate(raw[:, :, source], turns[:, None])
    assert torch.equal(found, plain)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda k, r, t, s, a: (k, r[:, :1], t, s, a), "raw must have shape"),
        (lambda k, r, t, s, a: (k[..., :8], r, t, s, a), "raw must have up to 8 channels, got 16"),
        (lambda k, r, t, s, a: (k, r[..., :15], t, s, a), r"turns must be complex64 \[2, up to 7"),
        (lambda k, r, t, s, a: (k, r, t, s[:1], a), r"for each of \[2\] slots, got \[1\]"),
        (lambda k, r, t, s, a: (k, r, t, s, a[1:]), r"turns must be complex64 \[2, up to 8\]"),
        (lambda k, r, t, s, a: (k, r, t, s, a.real), "turns must be complex64"),
        (lambda k, r, t, s, a: (k, r.double(), t, s, a), "raw must be torch.float32"),
        (lambda k, r, t, s, a: (k, r, t, s.to("meta"), a), "source must be on"),
    ],
)
def test_bad_input_names_the_argument(change, message):
    with pytest.raises(ValueError, match=message):
        reencode(*change(*make(1, 2, 5, 48, 16, 16, 3, 2, 2, torch.float32)))


@needs_triton
def test_what_triton_cannot_do_is_refused_by_name():
    keys, *case = make(1, 2, 5, 48, 16, 16, 3, 2, 2, EXACT)
    spread = torch.stack([keys, keys], -1).flatten(-2)[..., ::2]
    with pytest.raises(ValueError, match="channels must be neighbours"):
        reencode(spread, *case, impl=ReencodeImpl.TRITON)
    keys, *case = make(1, 2, 5, 48, 16, 16, 3, 2, 2, torch.float64)
    with pytest.raises(ValueError, match=r"for torch.float64, got triton"):
        reencode(keys, *case, impl=ReencodeImpl.TRITON)
