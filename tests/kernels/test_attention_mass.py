"""Attention per frame against the whole matrix in float64."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from ragged import DEVICE, EXACT, TRITON_DTYPES, make, needs_triton

from headforcing.kernels import MassImpl, Span, frame_logsumexp, frame_mass, span_table
from headforcing.kernels.attention_mass import blocked, reference


def framed(batch, rows, heads, dim, frames, tokens, *, spread=1.0, dtype=torch.float32, seed=0):
    """Queries, and keys of the same number of frames for every head, on the device of Triton."""
    lengths = [frames * tokens] * heads
    q, k, _, spans = make(batch, rows, dim, lengths, dtype, seed=seed, device=DEVICE)
    return spread * q, k, spans


def by_matrix(q, k, spans, tokens, scale):
    """Every score there is, in float64: ``[B, H, T, F, P]``."""
    scores = [
        torch.einsum("btd,bsd->bts", q[:, :, h].double(), k[:, s : s + n].double()) * scale
        for h, (s, n) in enumerate(spans)
    ]
    return torch.stack(scores, 1).unflatten(-1, (-1, tokens))


def kernel():
    from headforcing.kernels.attention_mass import triton_kernel

    return triton_kernel


def test_the_specification_is_the_whole_matrix():
    q, k, spans = framed(2, 4, 3, 16, 3, 5)
    exact = by_matrix(q, k, spans, 5, 0.25).logsumexp(-1)
    torch.testing.assert_close(reference.forward(q, k, spans, 5, 0.25), exact)
    found = frame_logsumexp(q, k, spans, 5, impl=MassImpl.REFERENCE)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found.double(), exact, atol=1e-6, rtol=1e-6)


@settings(max_examples=60)
@given(
    batch=st.integers(1, 2),
    rows=st.integers(1, 17),
    heads=st.integers(1, 4),
    frames=st.integers(1, 6),
    tokens=st.integers(1, 9),
    spread=st.sampled_from([0.1, 1.0, 30.0]),
    at_once=st.integers(1, 200),
)
def test_equals_the_whole_matrix(batch, rows, heads, frames, tokens, spread, at_once):
    q, k, spans = framed(batch, rows, heads, 16, frames, tokens, spread=spread)
    scores = by_matrix(q, k, spans, tokens, 0.25)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocked, "SCORES", at_once)
        found = frame_logsumexp(q, k, spans, tokens, impl=MassImpl.BLOCKED)
    torch.testing.assert_close(found.double(), scores.logsumexp(-1), atol=1e-5, rtol=1e-5)
    shares = scores.flatten(-2).softmax(-1).unflatten(-1, (-1, tokens)).sum(-1)
    torch.testing.assert_close(frame_mass(found).double(), shares, atol=3e-5, rtol=1e-4)
    torch.testing.assert_close(
        frame_mass(found).sum(-1), torch.ones(batch, heads, rows, device=DEVICE)
    )


@needs_triton
@settings(max_examples=60)
@given(
    batch=st.integers(1, 2),
    rows=st.integers(1, 40),
    heads=st.integers(1, 3),
    dim=st.sampled_from([7, 16, 48, 80, 128]),
    frames=st.integers(1, 4),
    tokens=st.integers(1, 70),
    spread=st.sampled_from([0.1, 1.0, 30.0]),
    scale=st.floats(0.05, 4.0),
    tiles=st.tuples(st.sampled_from([16, 64]), st.sampled_from([16, 32])),
    seed=st.integers(0, 999),
)
def test_a_running_sum_equals_the_whole_matrix(
    batch, rows, heads, dim, frames, tokens, spread, scale, tiles, seed
):
    shape = (batch, rows, heads, dim, frames, tokens)
    q, k, spans = framed(*shape, spread=spread, dtype=EXACT, seed=seed)
    scores = by_matrix(q, k, spans, tokens, scale)
    config = kernel().Config(*tiles, 4, 2)
    found = kernel().launch(q, k, span_table(spans, DEVICE), frames, tokens, scale, config)
    # what is added up may be far larger than its sum
    added = by_matrix(q.abs(), k.abs(), spans, tokens, scale)
    allowed = 1e-5 + 5e-7 * added.max().item()
    torch.testing.assert_close(found.double(), scores.logsumexp(-1), atol=allowed, rtol=1e-6)


@needs_triton
@pytest.mark.parametrize("dtype", TRITON_DTYPES)
@pytest.mark.parametrize("tokens", [1, 63, 65, 130, 200])
def test_triton_sums_in_float32(tokens, dtype):
    q, k, spans = framed(2, 65, 2, 48, 2, tokens, dtype=dtype)
    q = torch.stack([q, q], -1).flatten(-2)[..., ::2]  # channels that are no neighbours
    exact = by_matrix(q, k, spans, tokens, 48**-0.5).logsumexp(-1)
    found = frame_logsumexp(q, k, spans, tokens, impl=MassImpl.TRITON)
    assert found.dtype == torch.float32 and found.shape == (2, 2, 65, 2)
    torch.testing.assert_close(found.double(), exact, atol=1e-5, rtol=1e-5)
    table = span_table(spans, DEVICE)
    again = frame_logsumexp(q, k, spans, tokens, table=table, impl=MassImpl.TRITON)
    assert torch.equal(again, found)


@needs_triton
def test_scores_that_are_all_negative():
    """Keys behind the last frame that count as 0 would outweigh them."""
    q, k, spans = framed(1, 9, 2, 32, 3, 17, dtype=EXACT)
    q, k = -30 * q.abs(), k.abs()
    exact = by_matrix(q, k, spans, 17, 32**-0.5).logsumexp(-1)
    found = frame_logsumexp(q, k, spans, 17, impl=MassImpl.TRITON)
    torch.testing.assert_close(found.double(), exact, atol=1e-3, rtol=1e-5)


EVERY = [MassImpl.BLOCKED, pytest.param(MassImpl.TRITON, marks=needs_triton)]


@pytest.mark.parametrize("impl", EVERY)
def test_scores_beyond_what_exp_can_hold(impl):
    q, k, spans = framed(1, 4, 2, 16, 3, 5, spread=1e4, dtype=EXACT)
    assert frame_mass(frame_logsumexp(q, k, spans, 5, impl=impl)).isfinite().all()


@pytest.mark.parametrize("impl", EVERY)
def test_the_scale_is_the_callers(impl):
    q, k, spans = framed(1, 4, 2, 16, 3, 5, dtype=EXACT)
    half = frame_logsumexp(q, k, spans, 5, scale=0.125, impl=impl)
    torch.testing.assert_close(half, frame_logsumexp(q / 2, k, spans, 5, impl=impl))


def test_half_precision_is_summed_in_float32():
    q, k, spans = framed(1, 9, 2, 16, 3, 50, dtype=torch.bfloat16)
    exact = by_matrix(q, k, spans, 50, 0.25).logsumexp(-1)
    found = frame_logsumexp(q, k, spans, 50, impl=MassImpl.BLOCKED)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found.double(), exact, atol=1e-5, rtol=1e-5)


@needs_triton
def test_what_triton_cannot_do_is_refused_by_name():
    q, k, spans = framed(1, 4, 2, 16, 3, 5, dtype=torch.float64)
    with pytest.raises(ValueError, match=r"impl must be another one for torch.float64, got triton"):
        frame_logsumexp(q, k, spans, 5, impl=MassImpl.TRITON)
    q, k, spans = framed(1, 4, 2, 136, 3, 5, dtype=torch.float16)
    with pytest.raises(ValueError, match=r"for 136 channels per head, got triton; it takes up to"):
        frame_logsumexp(q, k, spans, 5, impl=MassImpl.TRITON)
    q, k, spans = framed(1, 4, 2, 16, 3, 5, dtype=torch.float16)
    with pytest.raises(ValueError, match="for scale=0, got triton"):
        frame_logsumexp(q, k, spans, 5, scale=0, impl=MassImpl.TRITON)


@pytest.mark.parametrize(
    ("spans", "tokens", "message"),
    [
        ([Span(0, 6)], 3, "as many as 2 heads"),
        ([Span(0, 6), Span(8, 3)], 3, r"of one length, got 2 of lengths \[3, 6\]"),
        ([Span(0, 6), Span(8, 6)], 4, "whole frames of 4 tokens, got 6"),
    ],
)
def test_bad_input_names_the_argument(spans, tokens, message):
    q, k, _ = framed(1, 2, 2, 16, 2, 3)
    with pytest.raises(ValueError, match=message):
        frame_logsumexp(q, k, spans, tokens)
