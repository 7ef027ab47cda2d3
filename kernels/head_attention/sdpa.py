"""The portable implementation: PyTorch's own fused attention, one call per run of like heads."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention


class Run(NamedTuple):
    """Heads with spans of one length at even distances: one strided view of the pool.

    heads: which, in the order of their spans; a slice where they are neighbours in order.
    """

    heads: slice | list[int]
    count: int
    start: int
    step: int
    length: int


def forward(
    q: Tensor, k_pool: Tensor, v_pool: Tensor, spans: Sequence[tuple[int, int]], scale: float
) -> Tensor:
    runs = list(_runs(spans))
    if len(runs) == 1 and runs[0].heads == slice(0, len(spans)):
        return _attend(q, k_pool, v_pool, runs[0], scale)  # SDPA's own output is the answer
    out = torch.empty_like(q)
    for run in runs:
        out[:, :, run.heads] = _attend(q[:, :, run.heads], k_pool, v_pool, run, scale)
    return out


def _runs(spans: Sequence[tuple[int, int]]) -> Iterator[Run]:
    """Divide heads into runs, so that no key is copied and there are few calls."""
    order = sorted(range(len(spans)), key=lambda head: (spans[head], head))
    first = 0
    while first < len(order):
        stop, step = first + 1, spans[order[first]][1]
        while stop < len(order) and spans[order[stop]][1] == spans[order[first]][1]:
            gap = spans[order[stop]][0] - spans[order[stop - 1]][0]
            if stop > first + 1 and gap != step:
                break
            step, stop = gap, stop + 1
        heads = order[first:stop]
        in_order = heads == list(range(heads[0], heads[0] + len(heads)))
        chosen = slice(heads[0], heads[0] + len(heads)) if in_order else heads
        yield Run(chosen, len(heads), spans[heads[0]][0], step, spans[heads[0]][1])
        first = stop


def _attend(q: Tensor, k_pool: Tensor, v_pool: Tensor, run: Run, scale: float) -> Tensor:
    batch, _, dim = k_pool.shape
    k, v = (
        pool.as_strided(
            (batch, run.count, run.length, dim),
            (pool.stride(0), run.step * dim, dim, 1),
            pool.storage_offset() + run.start * dim,
        )
        for pool in (k_pool, v_pool)
    )
    return scaled_dot_product_attention(q.transpose(1, 2), k, v, scale=scale).transpose(1, 2)
