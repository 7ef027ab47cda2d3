"""One launch over all heads and batch entries, longest first: FlashAttention over parts of a pool.

It compiles for every card ``config_for`` knows and is right in Triton's interpreter. It has not run
on a card yet: the tiles are those that spill no registers, not those that were fastest.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextvars import copy_context
from functools import cache, partial
from math import e, log2

import torch
import triton
import triton.language as tl
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from ..config import Config
from ..triton_choice import FAILURES, capability_of, on_card, passes, plain_refusal
from .spans import Span, span_table


@triton.jit
def _add_tile(q, k, v, best, total, acc, keys, scale, MASKED: tl.constexpr):
    """Add keys to the running softmax; ``best`` is in units of log2, sums are float32."""
    scores = tl.dot(q, tl.trans(k))  # [TILE_Q, TILE_K], float32
    if MASKED:
        inside = tl.arange(0, k.shape[0]) < keys
        scores = tl.where(inside[None, :], scores, float("-inf"))
    higher = tl.maximum(best, tl.max(scores, 1) * scale)
    # fma by name: Triton 3.10 no longer fuses by itself
    weights = tl.math.exp2(tl.fma(scores, scale, -higher[:, None]))  # [TILE_Q, TILE_K]
    shrink = tl.math.exp2(best - higher)  # [TILE_Q]
    total = total * shrink + tl.sum(weights, 1)
    acc = tl.dot(weights.to(v.dtype), v, acc * shrink[:, None])  # [TILE_Q, WIDTH]
    return higher, total, acc


@triton.jit
def _over_keys(q, k_rows, v_rows, length, scale, TILE_K: tl.constexpr):
    """Return softmax(scale * Q K^T) V of one tile of queries, ``[TILE_Q, WIDTH]`` float32."""
    best = tl.full([q.shape[0]], float("-inf"), tl.float32)
    total = tl.zeros([q.shape[0]], tl.float32)
    acc = tl.zeros([q.shape[0], q.shape[1]], tl.float32)
    whole = length // TILE_K * TILE_K
    for row in tl.range(0, whole, TILE_K):
        k = k_rows.load([row, 0])  # [TILE_K, WIDTH]
        v = v_rows.load([row, 0])
        best, total, acc = _add_tile(q, k, v, best, total, acc, TILE_K, scale, False)
    if whole < length:
        k = k_rows.load([whole, 0])
        v = v_rows.load([whole, 0])
        best, total, acc = _add_tile(q, k, v, best, total, acc, length - whole, scale, True)
    return acc / total[:, None]


@triton.jit(do_not_specialize=["tokens"])
def _attend(
    q,
    k_pool,
    v_pool,
    out,
    table,
    q_batch,
    q_token,
    q_head,
    k_batch,
    v_batch,
    tokens,
    scale,
    D: tl.constexpr,
    WIDTH: tl.constexpr,
    TILE_Q: tl.constexpr,
    TILE_K: tl.constexpr,
):
    """Compute TILE_Q queries of one head; programs that share keys are neighbours.

    Grid ``[blocks of queries, batch, heads]``; ``scale`` is positive and holds log2(e).
    """
    block, entry, heads = tl.program_id(0), tl.program_id(1).to(tl.int64), tl.num_programs(2)
    head = tl.load(table + 2 * heads + tl.program_id(2)).to(tl.int64)
    start = tl.load(table + head).to(tl.int64)
    length = tl.load(table + heads + head)
    # What a descriptor's shape leaves out is read as zero, whatever lies there: the rows of
    # another head, stale ones, NaN.
    q_rows = tl.make_tensor_descriptor(
        q + entry * q_batch + head * q_head, [tokens, D], [q_token, 1], [TILE_Q, WIDTH]
    )
    k_rows = tl.make_tensor_descriptor(
        k_pool + entry * k_batch + start * D, [length, D], [D, 1], [TILE_K, WIDTH]
    )
    v_rows = tl.make_tensor_descriptor(
        v_pool + entry * v_batch + start * D, [length, D], [D, 1], [TILE_K, WIDTH]
    )
    result = _over_keys(q_rows.load([block * TILE_Q, 0]), k_rows, v_rows, length, scale, TILE_K)
    row, column = block * TILE_Q + tl.arange(0, TILE_Q), tl.arange(0, WIDTH)
    place = ((entry * tokens + row) * heads + head)[:, None] * D + column[None, :]
    mask = (row < tokens)[:, None] & (column < D)[None, :]
    tl.store(out + place, result.to(out.dtype.element_ty), mask=mask)


INTERPRETED = not isinstance(_attend, triton.JITFunction)
# the interpreter multiplies the raw bits of bfloat16; float32 would leave the tensor cores idle
DTYPES = (torch.float16, torch.float32) if INTERPRETED else (torch.float16, torch.bfloat16)
# TMA reads whole 16 bytes
ALIGNED = 16
WIDEST = 128
ERRORS = (triton.TritonError, *FAILURES)


def config_for(capability: tuple[int, int] | None, dim: int) -> Config:
    """Return the largest tiles that spill no registers, with any Triton from 3.4 to 3.9.

    Args:
        capability: of an NVIDIA card; None for anything else.
    """
    if capability is None:
        return Config(128, 32, 8, 1)
    if (9, 0) <= capability < (12, 0):
        return Config(128, 128, 8, 2)
    if capability >= (12, 0) and dim > 64:
        return Config(128, 32, 8, 3)
    return Config(128, 64, 8, 3)


def refusal(
    q: Tensor, k_pool: Tensor, v_pool: Tensor, spans: Sequence[Span], scale: float
) -> Exception | None:
    """Return why a call cannot be done here, None if it can."""
    plain = plain_refusal(q, DTYPES, triton.__version__, INTERPRETED)
    if plain is not None:
        return plain
    dim, size = q.shape[-1], q.element_size()
    if dim % 8 or dim > WIDEST:
        return ValueError(
            f"impl must be another one for {dim} channels per head, got triton; "
            f"it takes multiples of 8 up to {WIDEST}"
        )
    if not scale > 0:
        return ValueError(f"impl must be another one for scale={scale}, got triton")
    if any(x.data_ptr() % ALIGNED or x.stride(0) * size % ALIGNED for x in (k_pool, v_pool)):
        return ValueError(
            f"impl must be another one for pools that do not start at a multiple of {ALIGNED} "
            "bytes, got triton"
        )
    return None


@cache
def works(device: torch.device, dtype: torch.dtype, dim: int) -> bool:
    """Say whether the kernel compiles and is right on a device; found out once, told once."""
    what = f"attention in {dtype} with {dim} channels per head on {device}"
    return passes(what, partial(_agrees, device, dtype, dim), ERRORS)


def _agrees(device: torch.device, dtype: torch.dtype, dim: int) -> bool:
    """Compare a tile and a rest of one head with PyTorch."""
    rows, start = 200, 8
    rng = torch.Generator().manual_seed(0)
    q, k, v = (
        torch.randn(1, rows, 1, dim, generator=rng).to(device, dtype).contiguous() for _ in range(3)
    )
    spans = [Span(start, rows - start)]
    found = forward(q, k[:, :, 0], v[:, :, 0], spans, dim**-0.5)
    keys, values = (x[:, start:].transpose(1, 2) for x in (k, v))
    plain = scaled_dot_product_attention(q.transpose(1, 2), keys, values).transpose(1, 2)
    return torch.allclose(found, plain, atol=2e-2, rtol=2e-2)


def forward(
    q: Tensor,
    k_pool: Tensor,
    v_pool: Tensor,
    spans: Sequence[Span],
    scale: float,
    table: Tensor | None = None,
) -> Tensor:
    config = config_for(capability_of(q.device), q.shape[-1])
    table = span_table(spans, q.device) if table is None else table
    return launch(q, k_pool, v_pool, table, scale, config)


def launch(
    q: Tensor, k_pool: Tensor, v_pool: Tensor, table: Tensor, scale: float, config: Config
) -> Tensor:
    """Attend with given tiles; see ``head_attention``."""
    batch, tokens, heads, dim = q.shape
    q = _aligned(q)
    out = torch.empty((batch, tokens, heads, dim), dtype=q.dtype, device=q.device)
    run = partial(
        _attend[triton.cdiv(tokens, config.queries), batch, heads],
        *(q, k_pool, v_pool, out, table),
        *(q.stride(0), q.stride(1), q.stride(2), k_pool.stride(0), v_pool.stride(0)),
        *(tokens, scale * log2(e)),
        D=dim,
        WIDTH=max(16, triton.next_power_of_2(dim)),
        TILE_Q=config.queries,
        TILE_K=config.keys,
        num_warps=config.warps,
        num_stages=config.stages,
    )
    with on_card(q.device):
        # in a context of its own, so that the allocator others have set stays theirs
        copy_context().run(_with_scratch, run, q.device)
    return out


def _with_scratch(run: partial, device: torch.device) -> None:
    """Launch with room for the descriptors that cards from sm_90 on keep in memory."""
    triton.set_allocator(
        lambda size, alignment, stream: torch.empty(size, dtype=torch.int8, device=device)
    )
    run()


def _aligned(q: Tensor) -> Tensor:
    """Return q, or a copy where its rows cannot be read sixteen bytes at a time."""
    size = q.element_size()
    odd = any(stride * size % ALIGNED for stride in q.stride()[:-1])
    if not odd and q.stride(-1) == 1 and q.stride(1) > 0 and q.data_ptr() % ALIGNED == 0:
        return q
    return q.clone(memory_format=torch.contiguous_format)
