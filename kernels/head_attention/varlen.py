"""PyTorch's own variable-length FlashAttention: a head is a sequence, all in one call.

Its arithmetic of rows is checked against a plain stand-in for ``varlen_attn``; the real one needs a
GPU and has not run here yet.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib.util import find_spec
from inspect import signature
from itertools import pairwise

import torch
from torch import Tensor

from .pools import Pools
from .spans import Span, span_table

DTYPES = (torch.float16, torch.bfloat16)
WIDEST = 256
OLDEST_CARD = (8, 0)


def refusal(q: Tensor, pools: Pools, spans: Sequence[Span], scale: float) -> Exception | None:
    """Return why a call cannot be done here, None if it can."""
    if q.device.type != "cuda":
        return RuntimeError(f"impl must be another one on {q.device}, got varlen; it needs a GPU")
    if not _takes_parts():
        return RuntimeError(
            f"impl must be another one with torch {torch.__version__}, got varlen; "
            "its varlen_attn must take scale and seqused_k, as that of torch 2.13 does"
        )
    built = torch.version.hip is not None or torch.backends.cuda.is_flash_attention_available()
    if not built or torch.cuda.get_device_capability(q.device) < OLDEST_CARD:
        return RuntimeError(
            "impl must be another one where torch has no FlashAttention, got varlen; "
            "it needs sm_80 and a torch built with it"
        )
    if pools.codes is not None:
        return ValueError(
            f"impl must be another one for pools of {pools.codes}, got varlen; it takes no scales"
        )
    if q.dtype not in DTYPES:
        return ValueError(f"impl must be another one for {q.dtype}, got varlen; use torch.float16")
    if q.shape[-1] % 8 or q.shape[-1] > WIDEST:
        return ValueError(
            f"impl must be another one for {q.shape[-1]} channels per head, got varlen; "
            f"it takes multiples of 8 up to {WIDEST}"
        )
    if not all(x.is_contiguous() for x in (pools.k, pools.v)) or _overlap(spans):
        return ValueError(
            "impl must be another one for pools with gaps between batch entries or for heads that "
            "share rows, got varlen"
        )
    return None


def _overlap(spans: Sequence[Span]) -> bool:
    ends = [(span.start, span.start + span.length) for span in sorted(spans)]
    return any(start < stop for (_, stop), (start, _) in pairwise(ends))


@cache
def _takes_parts() -> bool:
    """Say whether sequences may be parts of what lies between two starts, at any scale."""
    if find_spec("torch.nn.attention.varlen") is None:
        return False
    from torch.nn.attention.varlen import varlen_attn

    return {"scale", "seqused_k"} <= set(signature(varlen_attn).parameters)


def forward(
    q: Tensor,
    pools: Pools,
    spans: Sequence[Span],
    scale: float,
    table: Tensor | None = None,
) -> Tensor:
    """Attend with heads in the order of their rows, as cumulative starts demand.

    pool        . . a a a a . . b b . .       two heads, dots are read by none
    cu_seq_k        0           6       10
    seqused_k       4           2
    """
    from torch.nn.attention.varlen import varlen_attn

    batch, tokens, heads, dim = q.shape
    pool_rows = pools.k.shape[1]
    table = span_table(spans, q.device) if table is None else table
    order = table[0].argsort()
    entries = torch.arange(batch, dtype=torch.int32, device=q.device)[:, None]
    # rows are counted from the first that is read, and the last sequence ends with the pools
    first = min(span.start for span in spans)
    starts = (table[0][order] - first + entries * pool_rows).flatten()
    end = torch.full_like(starts[:1], batch * pool_rows - first)
    queries = torch.arange(batch * heads + 1, dtype=torch.int32, device=q.device) * tokens
    k, v = (x.flatten(0, 1)[first:, None] for x in (pools.k, pools.v))
    out = varlen_attn(
        q[:, :, order].transpose(1, 2).reshape(-1, 1, dim),
        *(k, v, queries, torch.cat([starts, end]), tokens, max(span.length for span in spans)),
        scale=scale,
        seqused_k=table[1][order].repeat(batch),
    )
    # to the place it came from: the inverse of a permutation is the order of its values
    return out.view(batch, heads, tokens, dim)[:, order.argsort()].transpose(1, 2)
