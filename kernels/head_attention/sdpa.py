"""The portable implementation: PyTorch's own fused attention, one call per run of like heads."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from ..eight_bits import decoded
from .pools import Pools
from .spans import Span

# bytes of keys and values that are decoded at a time, or one head if that has more
AT_ONCE = 64 * 1024**2
FLOAT = torch.float32.itemsize
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


def refusal(q: Tensor, pools: Pools, spans: Sequence[Span], scale: float) -> None:
    """It takes everything, everywhere."""


def forward(
    q: Tensor,
    pools: Pools,
    spans: Sequence[Span],
    scale: float,
    table: Tensor | None = None,
    dense: Dense | None = None,
) -> Tensor:
    """See ``head_attention``; ``dense`` attends in place of PyTorch, at a scale of its own."""
    dense = dense or partial(_attention, scale=scale)
    runs = list(_runs(spans))
    if pools.codes is not None:
        runs = [part for run in runs for part in _parts(run, q)]
    if len(runs) == 1 and _in_order(runs[0].heads):
        return _attend(q, pools, runs[0], dense)  # its own output is the answer
    read: dict[int, Tensor] = {}
    for run in runs:
        own = _attend(_queries(q, run.heads), pools, run, dense)
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


def decoded_bytes(batch: int, heads: int, length: int, dim: int, itemsize: int) -> int:
    """Return the most that decoding keys and values of like heads takes at a time.

    Args:
        length: rows that each head reads.
        itemsize: of the dtype they are read in.
    """
    one = _decoded_bytes(batch, length, dim, itemsize)
    return min(heads * one, max(one, AT_ONCE))


def _decoded_bytes(batch: int, length: int, dim: int, itemsize: int) -> int:
    # the numbers that blocks count in are spread over channels beside the codes
    return batch * length * dim * (2 * itemsize + 3 * FLOAT)


def _parts(run: Run, q: Tensor) -> Iterator[Run]:
    """Divide a run, so that little of a cache is decoded at a time."""
    one = _decoded_bytes(q.shape[0], run.length, q.shape[-1], q.element_size())
    size = max(1, AT_ONCE // one)
    for first in range(0, len(run.heads), size):
        start = run.start + first * run.step
        yield Run(run.heads[first : first + size], start, run.step, run.length)


def _attend(q: Tensor, pools: Pools, run: Run, dense: Dense) -> Tensor:
    k, v = (_view(pool, run) for pool in (pools.k, pools.v))
    if pools.codes is not None:
        scales = (_view(of, run) for of in (pools.k_scales, pools.v_scales))
        k, v = (decoded(x, own).to(q.dtype) for x, own in zip((k, v), scales, strict=True))
    return dense(*(_aligned(x) for x in (q.transpose(1, 2), k, v)))


def _view(pool: Tensor, run: Run) -> Tensor:
    """Return the rows of a run's heads where they lie: ``[B, G, length, D]``."""
    batch, _, dim = pool.shape
    return pool.as_strided(
        (batch, len(run.heads), run.length, dim),
        (pool.stride(0), run.step * dim, dim, 1),
        pool.storage_offset() + run.start * dim,
    )


def _aligned(x: Tensor) -> Tensor:
    """Return a tensor, or a copy where it starts at an odd place of a GPU.

    PyTorch 2.11 on an H100 gives NaN for such keys beside NaN: it reads what lies before them.
    """
    odd = x.device.type == "cuda" and x.data_ptr() % 16
    return x.clone(memory_format=torch.contiguous_format) if odd else x
