"""Signature and checks."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ..head_attention import Span
from .blocked import forward


def frame_logsumexp(
    q: Tensor,
    k_pool: Tensor,
    spans: Sequence[Span],
    tokens: int,
    *,
    scale: float | None = None,
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

    Returns:
        ``[B, H, T, F]`` in float32; frames in the order of their rows.

    Raises:
        ValueError: if spans differ in length or are not whole frames.
    """
    lengths = {span.length for span in spans}
    if len(spans) != q.shape[2] or len(lengths) != 1:
        raise ValueError(
            f"spans must be as many as {q.shape[2]} heads and of one length, "
            f"got {len(spans)} of lengths {sorted(lengths)}"
        )
    if tokens < 1 or spans[0].length % tokens:
        raise ValueError(f"spans must be whole frames of {tokens} tokens, got {spans[0].length}")
    return forward(q, k_pool, spans, tokens, q.shape[-1] ** -0.5 if scale is None else scale)


def frame_mass(logsumexp: Tensor) -> Tensor:
    """Return each frame's share of attention, ``[..., F]``, from ``frame_logsumexp``; sums to 1."""
    return torch.softmax(logsumexp, -1)
