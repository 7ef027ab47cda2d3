"""Signature, checks and choice of implementation."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from types import ModuleType

import torch
from torch import Tensor

from ..head_attention import Span
from ..triton_choice import chooses_triton, triton_file
from . import blocked, reference


class MassImpl(Enum):
    """Which code computes the result. The mathematics is the same."""

    REFERENCE = "reference"
    BLOCKED = "blocked"
    TRITON = "triton"


def frame_logsumexp(
    q: Tensor,
    k_pool: Tensor,
    spans: Sequence[Span],
    tokens: int,
    *,
    scale: float | None = None,
    table: Tensor | None = None,
    impl: MassImpl | None = None,
) -> Tensor:
    """Compute log(sum(exp(scale * q . k))) over the keys of each frame, for every query and head.

    Its softmax over frames is the exact share of attention that each frame gets; its logsumexp
    over frames is that of the whole attention.

    Args:
        q: ``[B, T, H, D]``, all queries or some of them.
        k_pool: ``[B, N, D]``.
        spans: the rows that each head reads; all of one length, whole frames.
        tokens: of a frame.
        scale: factor on the scores. Defaults to ``D ** -0.5``.
        table: ``span_table`` of the same spans, on the device of ``q``; with it nothing is sent
            there by the call.
        impl: None chooses. A named one runs or is refused, never replaced.

    Returns:
        ``[B, H, T, F]`` in float32; frames in the order of their rows.

    Raises:
        ValueError: if spans differ in length or are not whole frames, or the named implementation
            does not take such tensors.
        RuntimeError: if this machine cannot run the named implementation.
    """
    lengths = {span.length for span in spans}
    if len(spans) != q.shape[2] or len(lengths) != 1:
        raise ValueError(
            f"spans must be as many as {q.shape[2]} heads and of one length, "
            f"got {len(spans)} of lengths {sorted(lengths)}"
        )
    if tokens < 1 or spans[0].length % tokens:
        raise ValueError(f"spans must be whole frames of {tokens} tokens, got {spans[0].length}")
    scale = q.shape[-1] ** -0.5 if scale is None else scale
    call = (q, k_pool, spans, tokens, scale)
    code = _code(impl or _chosen(call))
    if impl and (error := code.refusal(*call)):
        raise error
    return code.forward(*call, table).float()


def frame_mass(logsumexp: Tensor) -> Tensor:
    """Return each frame's share of attention, ``[..., F]``, from ``frame_logsumexp``; sums to 1."""
    return torch.softmax(logsumexp, -1)


def _chosen(call: tuple) -> MassImpl:
    q: Tensor = call[0]
    on = (q.device, q.dtype, q.shape[-1])
    return MassImpl.TRITON if chooses_triton(__package__, call, on) else MassImpl.BLOCKED


def _code(impl: MassImpl) -> ModuleType:
    match impl:
        case MassImpl.REFERENCE:
            return reference
        case MassImpl.BLOCKED:
            return blocked
        case MassImpl.TRITON:
            return triton_file(__package__)
