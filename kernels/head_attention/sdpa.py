"""The portable implementation: PyTorch's own fused attention, one call per run of like heads."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from .spans import Span

# attention of like heads, ``[B, G, T, D]`` over ``[B, G, S, D]``, the result ``[B, T, G, D]``
Dense = Callable[[Tensor, Tensor, Tensor], Tensor]


class Run(NamedTuple):
    """Heads with spans of one length at even distances: one strided view of the pool.

    heads: which, in the order of their spans; a slice where they are neighbours in order.
    """

    heads: slice | list[int]
    count: int
    start: int
    step: int
    length: int


def refusal(q: Tensor, k_pool: Tensor, v_pool: Tensor, spans: Sequence[Span], scale: float) -> None:
    """It takes everything, everywhere."""


def forward(
    q: Tensor,
    k_pool: Tensor,
    v_pool: Tensor,
    spans: Sequence[Span],
    scale: float,
    table: Tensor | None = None,
    dense: Dense | None = None,
) -> Tensor:
    """See ``head_attention``; ``dense`` attends in place of PyTorch, at a scale of its own."""
    dense = dense or partial(_attention, scale=scale)
    runs = list(_runs(spans))
    if len(runs) == 1 and runs[0].heads == slice(0, len(spans)):
        return _attend(q, k_pool, v_pool, runs[0], dense)  # its own output is the answer
    out = torch.empty_like(q)
    for run in runs:
        out[:, :, run.heads] = _attend(q[:, :, run.heads], k_pool, v_pool, run, dense)
    return out


def _attention(q: Tensor, k: Tensor, v: Tensor, scale: float) -> Tensor:
    return scaled_dot_product_attention(q, k, v, scale=scale).transpose(1, 2)


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


def _attend(q: Tensor, k_pool: Tensor, v_pool: Tensor, run: Run, dense: Dense) -> Tensor:
    batch, _, dim = k_pool.shape
    k, v = (
        pool.as_strided(
            (batch, run.count, run.length, dim),
            (pool.stride(0), run.step * dim, dim, 1),
            pool.storage_offset() + run.start * dim,
        )
        for pool in (k_pool, v_pool)
    )
    return dense(q.transpose(1, 2), k, v)
