"""Signature, checks and choice of implementation."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from types import ModuleType

import torch
from torch import Tensor

from ..eight_bits import check_codes
from ..triton_choice import chooses_triton, triton_file
from . import reference, sdpa, varlen
from .pools import Pools
from .sdpa import Dense
from .spans import Span


class Impl(Enum):
    """Which code computes the result. The mathematics is the same."""

    REFERENCE = "reference"
    SDPA = "sdpa"
    VARLEN = "varlen"
    TRITON = "triton"


def head_attention(
    q: Tensor,
    k_pool: Tensor,
    v_pool: Tensor,
    spans: Sequence[Span],
    *,
    scales: tuple[Tensor, Tensor] | None = None,
    scale: float | None = None,
    table: Tensor | None = None,
    dense: Dense | None = None,
    impl: Impl | None = None,
) -> Tensor:
    """Compute softmax(scale * Q K^T) V for each head over its own rows of a pool, without a mask.

    The pool lets heads keep pasts of different lengths in one tensor and be read where they lie.

    Args:
        q: ``[B, T, H, D]``.
        k_pool, v_pool: ``[B, N, D]``, same dtype and device as ``q``, each batch entry contiguous.
            With scales they are codes, see ``eight_bits``.
        spans: one per head; every span holds at least one row.
        scales: of both pools, ``[B, N, D / 32]`` bfloat16, each batch entry contiguous; None: the
            pools are no codes.
        scale: factor on the scores. Defaults to ``D ** -0.5``.
        table: ``span_table`` of the same spans, on the device of ``q``; with it nothing is sent
            there by the call. What it says is not compared with the spans.
        dense: attends for runs of like heads, in place of PyTorch and of every choice of ours.
        impl: None chooses, see ``chosen_impl``. A named one runs or is refused, never replaced.

    Returns:
        ``[B, T, H, D]`` in the dtype of ``q``.

    Raises:
        ValueError: if shapes, dtypes or devices disagree, a span leaves the pool, the named
            implementation does not take such tensors, or ``dense`` comes with a scale or an
            implementation.
        RuntimeError: if this machine cannot run the named implementation.
    """
    pools = Pools(k_pool, v_pool, *(scales or (None, None)))
    _check(q, pools, spans, table)
    if dense is not None and not (scale is None and impl is None):
        raise ValueError("dense must come without scale and impl, which it has of its own")
    scale = q.shape[-1] ** -0.5 if scale is None else scale
    if q.numel() == 0:
        return torch.empty_like(q)
    if dense is not None:
        return sdpa.forward(q, pools, spans, scale, dense=dense)
    code = _code(impl or _chosen(q, pools, spans, scale))
    if impl and (error := code.refusal(q, pools, spans, scale)):
        raise error
    return code.forward(q, pools, spans, scale, table)


def chosen_impl(
    q: Tensor,
    k_pool: Tensor,
    v_pool: Tensor,
    spans: Sequence[Span],
    *,
    scales: tuple[Tensor, Tensor] | None = None,
    scale: float | None = None,
) -> Impl:
    """Return what ``impl=None`` comes to; it follows from the arguments and what is installed.

    The first time a GPU is met, Triton's kernel is compiled and compared with PyTorch there. If
    that fails, one warning says why.
    """
    pools = Pools(k_pool, v_pool, *(scales or (None, None)))
    return _chosen(q, pools, spans, q.shape[-1] ** -0.5 if scale is None else scale)


def _chosen(q: Tensor, pools: Pools, spans: Sequence[Span], scale: float) -> Impl:
    call = (q, pools, spans, scale)
    if chooses_triton(__package__, call, (q.device, q.dtype, q.shape[-1], pools.codes)):
        return Impl.TRITON
    return Impl.VARLEN if varlen.refusal(*call) is None else Impl.SDPA


def _code(impl: Impl) -> ModuleType:
    match impl:
        case Impl.REFERENCE:
            return reference
        case Impl.SDPA:
            return sdpa
        case Impl.VARLEN:
            return varlen
        case Impl.TRITON:
            return triton_file(__package__)


def _check(q: Tensor, pools: Pools, spans: Sequence[Span], table: Tensor | None) -> None:
    batch, _, heads, dim = q.shape
    expected = (batch, pools.k.shape[1], dim)
    dtype = pools.codes or q.dtype
    parts = (("k_pool", pools.k, pools.k_scales), ("v_pool", pools.v, pools.v_scales))
    for name, x, scales in parts:
        if x.shape != expected:
            raise ValueError(f"{name} must have shape {expected} [B, N, D], got {tuple(x.shape)}")
        if scales is not None:
            check_codes(name, x, scales, q.device, expected[:2])
        if (x.dtype, x.device) != (dtype, q.device):
            raise ValueError(
                f"{name} must be {dtype} on {q.device} like q, got {x.dtype} on {x.device}"
            )
        for one in (x, *([] if scales is None else [scales])):
            if one.stride()[1:] != (one.shape[-1], 1):
                raise ValueError(f"{name} must have contiguous rows, got strides {one.stride()}")
    if len(spans) != heads:
        raise ValueError(f"spans must name {heads} heads, got {len(spans)}")
    for span in spans:
        if span.start < 0 or span.length < 1 or span.start + span.length > pools.k.shape[1]:
            raise ValueError(f"spans must lie within {pools.k.shape[1]} rows, got {span}")
    if table is not None:
        found = (tuple(table.shape), table.dtype, table.device)
        if found != ((3, heads), torch.int32, q.device) or not table.is_contiguous():
            raise ValueError(
                f"table must be int32 [3, {heads}] on {q.device}, contiguous, "
                f"got {table.dtype} {list(table.shape)} on {table.device}"
            )
