"""Signature, checks and choice of implementation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import Enum
from typing import NamedTuple

from torch import Tensor


class Impl(Enum):
    """Which code computes the result. The mathematics is the same."""

    REFERENCE = "reference"
    SDPA = "sdpa"


class Span(NamedTuple):
    """The rows of a pool that one head reads: ``start <= row < start + length``."""

    start: int
    length: int


def head_attention(
    q: Tensor,
    k_pool: Tensor,
    v_pool: Tensor,
    spans: Sequence[Span],
    *,
    scale: float | None = None,
    impl: Impl | None = None,
) -> Tensor:
    """Compute softmax(scale * Q K^T) V for each head over its own rows of a pool, without a mask.

    The pool lets heads keep pasts of different lengths in one tensor and be read where they lie.

    Args:
        q: ``[B, T, H, D]``.
        k_pool, v_pool: ``[B, N, D]``, same dtype and device as ``q``, each batch entry contiguous.
        spans: one per head; every span holds at least one row.
        scale: factor on the scores. Defaults to ``D ** -0.5``.
        impl: None chooses. A named implementation runs or is refused, never replaced.

    Returns:
        ``[B, T, H, D]`` in the dtype of ``q``.

    Raises:
        ValueError: if shapes, dtypes or devices disagree or a span leaves the pool.
    """
    _check(q, k_pool, v_pool, spans)
    scale = q.shape[-1] ** -0.5 if scale is None else scale
    return _load(impl or Impl.SDPA)(q, k_pool, v_pool, spans, scale)


def _load(impl: Impl) -> Callable[..., Tensor]:
    match impl:
        case Impl.REFERENCE:
            from .reference import forward
        case Impl.SDPA:
            from .sdpa import forward
    return forward


def _check(q: Tensor, k_pool: Tensor, v_pool: Tensor, spans: Sequence[Span]) -> None:
    batch, _, heads, dim = q.shape
    expected = (batch, k_pool.shape[1], dim)
    for name, x in (("k_pool", k_pool), ("v_pool", v_pool)):
        if x.shape != expected:
            raise ValueError(f"{name} must have shape {expected} [B, N, D], got {tuple(x.shape)}")
        if (x.dtype, x.device) != (q.dtype, q.device):
            raise ValueError(
                f"{name} must be {q.dtype} on {q.device} like q, got {x.dtype} on {x.device}"
            )
        if x.stride()[1:] != (dim, 1):
            raise ValueError(f"{name} must have contiguous rows, got strides {x.stride()}")
    if len(spans) != heads:
        raise ValueError(f"spans must name {heads} heads, got {len(spans)}")
    for span in spans:
        if span.start < 0 or span.length < 1 or span.start + span.length > k_pool.shape[1]:
            raise ValueError(f"spans must lie within {k_pool.shape[1]} rows, got {span}")
