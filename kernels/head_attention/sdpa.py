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

    heads: which, in the order of their spans.
    """

    heads: list[int]
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
    if len(runs) == 1 and _in_order(runs[0].heads):
        return _attend(q, k_pool, v_pool, runs[0], dense)  # its own output is the answer
    read: dict[int, Tensor] = {}
    for run in runs:
        own = _attend(_queries(q, run.heads), k_pool, v_pool, run, dense)
        read |= zip(run.heads, own.unbind(2), strict=True)
    return torch.stack([read[head] for head in range(len(spans))], 2)


def _queries(q: Tensor, heads: list[int]) -> Tensor:
    """Return some heads; a list as index would be sent to the device, and waited for."""
    if _in_order(heads):
        return q[:, :, heads[0] : heads[-1] + 1]
    return torch.stack([q[:, :, head] for head in heads], 2)


def _in_order(heads: list[int]) -> bool:
    return heads == list(range(heads[0], heads[0] + len(heads)))


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
        yield Run(heads, spans[heads[0]][0], step, spans[heads[0]][1])
        first = stop


def _attend(q: Tensor, k_pool: Tensor, v_pool: Tensor, run: Run, dense: Dense) -> Tensor:
    batch, _, dim = k_pool.shape
    k, v = (
        pool.as_strided(
            (batch, len(run.heads), run.length, dim),
            (pool.stride(0), run.step * dim, dim, 1),
            pool.storage_offset() + run.start * dim,
        )
        for pool in (k_pool, v_pool)
    )
    return dense(*(_aligned(x) for x in (q.transpose(1, 2), k, v)))


def _aligned(x: Tensor) -> Tensor:
    """Return a tensor, or a copy where it starts at an odd place of a GPU.

    PyTorch 2.11 on an H100 gives NaN for such keys beside NaN: it reads what lies before them.
    """
    odd = x.device.type == "cuda" and x.data_ptr() % 16
    return x.clone(memory_format=torch.contiguous_format) if odd else x
