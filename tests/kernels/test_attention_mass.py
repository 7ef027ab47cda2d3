"""Attention per frame against the whole matrix in float64."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from headforcing.kernels import Span, frame_logsumexp, frame_mass
from headforcing.kernels.attention_mass import blocked


def make(batch, rows, heads, dim, frames, tokens, gap=2, spread=1.0, seed=0):
    """Random queries and keys; rows that no head may read are NaN."""
    rng = torch.Generator().manual_seed(seed)
    length = frames * tokens
    spans = [Span(head * (length + gap), length) for head in range(heads)]
    q = spread * torch.randn(batch, rows, heads, dim, generator=rng)
    k = torch.full((batch, heads * (length + gap), dim), float("nan"))
    for start, _ in spans:
        k[:, start : start + length] = torch.randn(batch, length, dim, generator=rng)
    return q, k, spans


def by_matrix(q, k, spans, tokens, scale):
    """Every score there is, in float64: ``[B, H, T, F, P]``."""
    scores = [
        torch.einsum("btd,bsd->bts", q[:, :, h].double(), k[:, s : s + n].double()) * scale
        for h, (s, n) in enumerate(spans)
    ]
    return torch.stack(scores, 1).unflatten(-1, (-1, tokens))


@settings(deadline=None, max_examples=60)
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
    q, k, spans = make(batch, rows, heads, 16, frames, tokens, spread=spread)
    scores = by_matrix(q, k, spans, tokens, 0.25)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocked, "SCORES", at_once)
        found = frame_logsumexp(q, k, spans, tokens)
    torch.testing.assert_close(found.double(), scores.logsumexp(-1), atol=1e-5, rtol=1e-5)
    shares = scores.flatten(-2).softmax(-1).unflatten(-1, (-1, tokens)).sum(-1)
    torch.testing.assert_close(frame_mass(found).double(), shares, atol=3e-5, rtol=1e-4)
    torch.testing.assert_close(frame_mass(found).sum(-1), torch.ones(batch, heads, rows))


def test_scores_beyond_what_exp_can_hold():
    q, k, spans = make(1, 4, 2, 16, 3, 5, spread=1e4)
    assert frame_mass(frame_logsumexp(q, k, spans, 5)).isfinite().all()


def test_the_scale_is_the_callers():
    q, k, spans = make(1, 4, 2, 16, 3, 5)
    half = frame_logsumexp(q, k, spans, 5, scale=0.125)
    torch.testing.assert_close(half, frame_logsumexp(q / 2, k, spans, 5))


def test_half_precision_is_summed_in_float32():
    q, k, spans = (x if isinstance(x, list) else x.bfloat16() for x in make(1, 9, 2, 16, 3, 50))
    exact = by_matrix(q, k, spans, 50, 0.25).logsumexp(-1)
    found = frame_logsumexp(q, k, spans, 50)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found.double(), exact, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(
    ("spans", "tokens", "message"),
    [
        ([Span(0, 6)], 3, "as many as 2 heads"),
        ([Span(0, 6), Span(8, 3)], 3, r"of one length, got 2 of lengths \[3, 6\]"),
        ([Span(0, 6), Span(8, 6)], 4, "whole frames of 4 tokens, got 6"),
    ],
)
def test_bad_input_names_the_argument(spans, tokens, message):
    q, k, _ = make(1, 2, 2, 16, 2, 3)
    with pytest.raises(ValueError, match=message):
        frame_logsumexp(q, k, spans, tokens)
