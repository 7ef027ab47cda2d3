"""Signature, checks and choice of implementation."""

from __future__ import annotations

from enum import Enum
from types import ModuleType

import torch
from torch import Tensor

from ..eight_bits import check_codes
from ..triton_choice import chooses_triton, triton_file
from . import eager, reference
from .new_tokens import NewTokens


class WriteImpl(Enum):
    """Which code computes the result. The mathematics is the same."""

    REFERENCE = "reference"
    EAGER = "eager"
    TRITON = "triton"


def write_rotated(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    rotation: Tensor,
    k_pool: Tensor,
    v_pool: Tensor,
    rows: Tensor,
    *,
    scales: tuple[Tensor, Tensor] | None = None,
    impl: WriteImpl | None = None,
) -> Tensor:
    """Write keys, rotated, and values into the rows of a pool, and return the queries rotated.

    Token ``f * P + p`` of head h goes to row ``rows[f, h] + p``; no other row is touched.
    Neighbouring channels (2j, 2j + 1) are one complex number; it is turned in float32 and rounded
    once.

    Args:
        q, k, v: ``[B, T, H, D]``, any strides.
        rotation: ``[T, D / 2]`` complex64 on the device of ``q``, cos + i sin of each angle.
        k_pool, v_pool: ``[B, N, D]``, dtype and device of ``q``, each batch entry contiguous;
            changed in place. With scales their dtype is that of codes.
        rows: ``[F, H]`` int32 on the device of ``q``, F divides T. No two runs of ``P = T / F``
            rows may overlap or leave the pool, which is not checked.
        scales: of both pools, ``[B, N, D / 32]`` bfloat16, each batch entry contiguous, changed in
            place; with them the pools hold codes, see ``eight_bits``. None: they hold none.
        impl: None chooses. A named one runs or is refused, never replaced.

    Returns:
        ``[B, T, H, D]``.

    Raises:
        ValueError: if shapes, dtypes or devices disagree, or the named implementation does not take
            such tensors.
        RuntimeError: if this machine cannot run the named implementation.
    """
    new = NewTokens(q, k, v, rotation, k_pool, v_pool, rows, *(scales or ()))
    _check(new)
    if q.numel() == 0:
        return torch.empty_like(q)
    code = _code(impl or _chosen(new))
    if impl and (error := code.refusal(new)):
        raise error
    return code.forward(new)


def _chosen(new: NewTokens) -> WriteImpl:
    q = new.q
    chosen = chooses_triton(__package__, (new,), (q.device, q.dtype, q.shape[-1], new.codes))
    return WriteImpl.TRITON if chosen else WriteImpl.EAGER


def _code(impl: WriteImpl) -> ModuleType:
    match impl:
        case WriteImpl.REFERENCE:
            return reference
        case WriteImpl.EAGER:
            return eager
        case WriteImpl.TRITON:
            return triton_file(__package__)


def _check(new: NewTokens) -> None:
    q, k, v, rotation, k_pool, v_pool, rows = new[:7]
    batch, tokens, heads, dim = q.shape
    for name, x in {"k": k, "v": v}.items():
        if x.shape != q.shape:
            raise ValueError(f"{name} must be {list(q.shape)} like q, got {list(x.shape)}")
    if rotation.shape != (tokens, dim // 2) or dim % 2 or rotation.dtype != torch.complex64:
        raise ValueError(
            f"rotation must be complex64 [{tokens}, {dim / 2:g}], "
            f"got {rotation.dtype} {list(rotation.shape)}"
        )
    for name, pool in {"k_pool": k_pool, "v_pool": v_pool}.items():
        if pool.dim() != 3 or pool.shape[::2] != (batch, dim) or pool.stride()[1:] != (dim, 1):
            raise ValueError(
                f"{name} must be [{batch}, N, {dim}] with contiguous rows, "
                f"got {list(pool.shape)} with strides {pool.stride()}"
            )
    if rows.dim() != 2 or rows.shape[1] != heads or not rows.shape[0] or tokens % rows.shape[0]:
        raise ValueError(
            f"rows must be [F, {heads}] with an F that divides {tokens} tokens, "
            f"got {list(rows.shape)}"
        )
    if rows.dtype != torch.int32:
        raise ValueError(f"rows must be int32, got {rows.dtype}")
    _check_scales(new)
    alike = {"k": k, "v": v} | ({} if new.codes else {"k_pool": k_pool, "v_pool": v_pool})
    for name, x in alike.items():
        if x.dtype != q.dtype:
            raise ValueError(f"{name} must be {q.dtype} like q, got {x.dtype}")
    others = {"k": k, "v": v, "k_pool": k_pool, "v_pool": v_pool}
    for name, x in {**others, "rotation": rotation, "rows": rows}.items():
        if x.device != q.device:
            raise ValueError(f"{name} must be on {q.device} like q, got {x.device}")


def _check_scales(new: NewTokens) -> None:
    if new.codes is None:
        return
    pools = {"k_pool": (new.k_pool, new.k_scales), "v_pool": (new.v_pool, new.v_scales)}
    for name, (pool, scales) in pools.items():
        check_codes(name, pool, scales, new.q.device, tuple(pool.shape[:2]))
        if scales.stride()[1:] != (scales.shape[-1], 1):
            raise ValueError(
                f"scales of {name} must have contiguous rows, got strides {scales.stride()}"
            )
    if new.v_pool.dtype != new.codes:
        raise ValueError(f"v_pool must be {new.codes} like k_pool, got {new.v_pool.dtype}")
