"""The portable implementation: PyTorch's own fused attention, one call per run of like heads."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention


def forward(
    q: Tensor, k_pool: Tensor, v_pool: Tensor, spans: Sequence[tuple[int, int]], scale: float
) -> Tensor:
    runs = list(_runs(spans))
    if len(runs) == 1:  # nothing to gather: SDPA's own output is the answer
        return _attend(q, k_pool, v_pool, *runs[0], spans, scale)
    out = torch.empty_like(q)
    for first, stop, step in runs:
        out[:, :, first:stop] = _attend(q, k_pool, v_pool, first, stop, step, spans, scale)
    return out


def _runs(spans: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int, int]]:
    """Yield (first head, stop, row step) of neighbours with one length and evenly spaced starts.

    Such a run is one strided view of the pool, so no key is copied.
    """
    first = 0
    while first < len(spans):
        stop, step = first + 1, spans[first][1]
        while stop < len(spans) and spans[stop][1] == spans[first][1]:
            gap = spans[stop][0] - spans[stop - 1][0]
            if gap < 0 or (stop > first + 1 and gap != step):
                break
            step, stop = gap, stop + 1
        yield first, stop, step
        first = stop


def _attend(
    q: Tensor,
    k_pool: Tensor,
    v_pool: Tensor,
    first: int,
    stop: int,
    step: int,
    spans: Sequence[tuple[int, int]],
    scale: float,
) -> Tensor:
    start, length = spans[first]
    batch, _, dim = k_pool.shape
    k, v = (
        pool.as_strided(
            (batch, stop - first, length, dim),
            (pool.stride(0), step * dim, dim, 1),
            pool.storage_offset() + start * dim,
        )
        for pool in (k_pool, v_pool)
    )
    heads = q[:, :, first:stop].transpose(1, 2)  # [B, G, T, D]
    return scaled_dot_product_attention(heads, k, v, scale=scale).transpose(1, 2)
