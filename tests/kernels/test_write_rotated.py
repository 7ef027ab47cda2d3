"""New tokens rotated and written into a pool, against complex multiplication in float64."""

import pytest
import torch
from closeness import assert_as_good_as
from hypothesis import given, settings
from hypothesis import strategies as st
from ragged import DEVICE, EXACT, TRITON_DTYPES, needs_triton

from headforcing.headforcing_core import Rope
from headforcing.headforcing_core.video import LatentGrid
from headforcing.kernels import WriteImpl, rotate, write_rotated
from headforcing.kernels.write_rotated import reference
from headforcing.kernels.write_rotated.new_tokens import NewTokens

EVERY = [WriteImpl.EAGER, pytest.param(WriteImpl.TRITON, marks=needs_triton)]


def make(batch, frames, page, heads, dim, dtype, seed=0):
    """New tokens, pools that are NaN where nothing is written yet, and rows in any order."""
    rng = torch.Generator().manual_seed(seed)
    q, k, v = torch.randn(3, batch, frames * page, heads, dim, generator=rng).to(DEVICE, dtype)
    angles = 7 * torch.randn(frames * page, dim // 2, generator=rng, dtype=torch.float64)
    rotation = torch.polar(torch.ones(()).double(), angles).cfloat().to(DEVICE)
    places = torch.randperm(frames * heads, generator=rng) * (page + 1) + 1
    pools = torch.full((2, batch, frames * heads * (page + 1) + 2, dim), float("nan"))
    rows = places.view(frames, heads).int().to(DEVICE)
    return q, k, v, rotation, *pools.to(DEVICE, dtype), rows


def results(impl, case):
    """Return queries and pools as an implementation leaves them; the inputs stay."""
    *inputs, k_pool, v_pool, rows = case
    pools = k_pool.clone(), v_pool.clone()
    return write_rotated(*inputs, *pools, rows, impl=impl), *pools


def exactly(case):
    *inputs, rotation, k_pool, v_pool, rows = case
    inputs, pools = ([x.double() for x in group] for group in (inputs, (k_pool, v_pool)))
    return reference.forward(NewTokens(*inputs, rotation, *pools, rows)), *pools


def assert_right(impl, case):
    for found, exact, input_ in zip(results(impl, case), exactly(case), case, strict=False):
        # rows that are not written stay NaN, and no others do
        assert torch.equal(found.isnan(), exact.isnan())
        error = (found.double() - exact).abs().nan_to_num().max().item()
        allowed = 2 * torch.finfo(found.dtype).eps * input_.abs().max().item()
        assert error <= allowed, f"max error {error:.3e}"


@pytest.mark.parametrize("impl", EVERY)
@settings(max_examples=50)
@given(
    batch=st.integers(1, 2),
    frames=st.integers(1, 3),
    page=st.sampled_from([1, 5, 31, 33, 65]),
    heads=st.integers(1, 3),
    dim=st.sampled_from([2, 16, 40, 64, 80, 128]),
    dtype=st.sampled_from([EXACT, torch.float16]),
    seed=st.integers(0, 999),
)
def test_any_tokens_in_any_rows(impl, batch, frames, page, heads, dim, dtype, seed):
    assert_right(impl, make(batch, frames, page, heads, dim, dtype, seed))


@pytest.mark.parametrize("impl", EVERY)
def test_tokens_may_lie_apart(impl):
    """Each in its own way: a slice of one projection, heads first; a pool as part of another."""
    q, k, v, *rest, k_pool, v_pool, rows = make(2, 3, 33, 2, 16, EXACT)
    q = torch.stack([q, k, v], 2)[:, :, 0]
    v = torch.cat([v, v], 2).transpose(1, 2).contiguous().transpose(1, 2)[:, :, :2]
    assert all(len({x.stride(dim) for x in (q, k, v)}) == 3 for dim in (0, 1))
    assert k.stride(2) != v.stride(2)
    k_pool, v_pool = torch.cat([k_pool, v_pool], 1).split(k_pool.shape[1], 1)
    assert_right(impl, (q, k, v, *rest, k_pool, v_pool, rows))


@needs_triton
@pytest.mark.parametrize("dtype", TRITON_DTYPES)
def test_triton_is_as_good_as_plain_code(dtype):
    case = make(2, 3, 65, 3, 128, dtype)
    every = (results(WriteImpl.TRITON, case), results(WriteImpl.EAGER, case), exactly(case))
    for found, plain, exact in zip(*every, strict=True):
        written = ~exact.isnan()
        assert_as_good_as(*(x[written] for x in (found, plain, exact)))


@pytest.mark.parametrize("impl", EVERY)
def test_it_is_the_rotation_of_the_model(impl):
    rope = Rope(48, LatentGrid(6, 8, 2, 2))
    q, k, v, _, *pools, rows = make(1, 3, rope.grid.tokens_per_frame, 2, 48, EXACT)
    rotation = rope.frames([5, 6, 7], DEVICE)
    found, k_pool, v_pool = results(impl, (q, k, v, rotation[:, 0], *pools, rows))
    close = {"atol": 2 * torch.finfo(EXACT).eps * float(k.abs().max()), "rtol": 0}
    torch.testing.assert_close(found, rotate(q, rotation), **close)
    page = rope.grid.tokens_per_frame
    for frame, head in ((f, h) for f in range(3) for h in range(2)):
        own, first = slice(frame * page, (frame + 1) * page), int(rows[frame, head])
        written = k_pool[:, first : first + page]
        torch.testing.assert_close(written, rotate(k, rotation)[:, own, head], **close)
        assert torch.equal(v_pool[:, first : first + page], v[:, own, head])


def test_no_tokens_are_nothing_to_do():
    q, k, v, rotation, *pools, rows = make(1, 1, 1, 2, 16, EXACT)
    none = (q[:0], k[:0], v[:0], rotation, pools[0][:0], pools[1][:0], rows)
    assert write_rotated(*none).shape == (0, 1, 2, 16)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda q, k, v, a, kp, vp, r: (q, k[:, 1:], v, a, kp, vp, r), r"k must be \[1, 10, 2, 16"),
        (lambda q, k, v, a, kp, vp, r: (q, k, v[..., :8], a, kp, vp, r), "v must be"),
        (lambda q, k, v, a, kp, vp, r: (q, k, v, a[1:], kp, vp, r), r"rotation must be complex64"),
        (lambda q, k, v, a, kp, vp, r: (q, k, v, a.real, kp, vp, r), r"got torch.float32 \[10, 8"),
        (lambda q, k, v, a, kp, vp, r: (q, k, v, a, kp[..., :8], vp, r), "k_pool must be"),
        (lambda q, k, v, a, kp, vp, r: (q, k, v, a, kp, vp[:, ::2], r), "contiguous rows"),
        (lambda q, k, v, a, kp, vp, r: (q, k, v, a, kp, vp, r[:, :1]), r"rows must be \[F, 2\]"),
        (lambda q, k, v, a, kp, vp, r: (q, k, v, a, kp, vp, r[:0]), "an F that divides 10 tokens"),
        (lambda q, k, v, a, kp, vp, r: (q, k, v, a, kp, vp, r.long()), "rows must be int32"),
        (lambda q, k, v, a, kp, vp, r: (q, k, v, a, kp.double(), vp, r), "k_pool must be torch.fl"),
        (lambda q, k, v, a, kp, vp, r: (q, k, v, a.to("meta"), kp, vp, r), "rotation must be on"),
        (lambda q, k, v, a, kp, vp, r: (q, k, v, a, kp, vp, r.to("meta")), "rows must be on"),
    ],
)
def test_bad_input_names_the_argument(change, message):
    with pytest.raises(ValueError, match=message):
        write_rotated(*change(*make(1, 2, 5, 2, 16, torch.float32)))


@needs_triton
def test_what_triton_cannot_do_is_refused_by_name():
    q, *case = make(1, 2, 5, 2, 16, EXACT)
    spread = torch.stack([q, q], -1).flatten(-2)[..., ::2]
    with pytest.raises(ValueError, match="channels must be neighbours"):
        write_rotated(spread, *case, impl=WriteImpl.TRITON)
    with pytest.raises(ValueError, match=r"for torch.float64, got triton"):
        write_rotated(*make(1, 2, 5, 2, 16, torch.float64), impl=WriteImpl.TRITON)
