"""One launch over all heads and batch entries, longest first: FlashAttention over parts of a pool.

It compiles for every card ``config_for`` knows and is right in Triton's interpreter. On Hopper the
tiles are those that were fastest on an H100; elsewhere, those that spill no registers.
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
from ..eight_bits import encoded
from ..triton_choice import FAILURES, capability_of, on_card, passes, plain_refusal
from ..triton_codes import FORMATS, as_bytes
from .pools import Pools
from .spans import Span, span_table
from .triton_loops import over_keys, over_keys_for_two


@triton.jit(do_not_specialize=["tokens"])
def _attend(
    q,
    k_pool,
    v_pool,
    k_scales,
    v_scales,
    out,
    table,
    q_batch,
    q_token,
    q_head,
    k_batch,
    v_batch,
    scales_batch,
    tokens,
    scale,
    D: tl.constexpr,
    WIDTH: tl.constexpr,
    FORMAT: tl.constexpr,
    TILE_Q: tl.constexpr,
    TILE_K: tl.constexpr,
    TILES: tl.constexpr,
):
    """Compute TILES tiles of queries of one head, 1 or 2; programs that share keys are neighbours.

    Grid ``[blocks of queries, batch, heads]``; ``scale`` is positive and holds log2(e). For codes
    see ``triton_codes``.
    """
    block, entry, heads = tl.program_id(0), tl.program_id(1).to(tl.int64), tl.num_programs(2)
    head = tl.load(table + 2 * heads + tl.program_id(2)).to(tl.int64)
    start, length = tl.load(table + head).to(tl.int64), tl.load(table + heads + head)
    # What a descriptor's shape leaves out is read as zero, whatever lies there: the rows of
    # another head, stale ones, NaN.
    q_at = q + entry * q_batch + head * q_head
    q_rows = tl.make_tensor_descriptor(q_at, [tokens, D], [q_token, 1], [TILE_Q, WIDTH])
    k_at, v_at = k_pool + entry * k_batch + start * D, v_pool + entry * v_batch + start * D
    k_rows = tl.make_tensor_descriptor(k_at, [length, D], [D, 1], [TILE_K, WIDTH])
    v_rows = tl.make_tensor_descriptor(v_at, [length, D], [D, 1], [TILE_K, WIDTH])
    k_of, v_of = _scales(k_scales, v_scales, entry * scales_batch, start, D)
    out_rows, first = out + (entry * tokens * heads + head) * D, block * TILES * TILE_Q
    keys = (k_rows, v_rows, k_of, v_of, length, scale)
    q = q_rows.load([first, 0])
    if TILES == 1:
        result = over_keys(q, *keys, D, FORMAT, TILE_K)
        _store(out_rows, result, first, tokens, heads, D)
    else:
        more = q_rows.load([first + TILE_Q, 0])
        result, second = over_keys_for_two(q, more, *keys, D, FORMAT, TILE_K)
        _store(out_rows, result, first, tokens, heads, D)
        _store(out_rows, second, first + TILE_Q, tokens, heads, D)


@triton.jit
def _scales(k_scales, v_scales, before, start, D: tl.constexpr):
    """Return where the scales of the row ``start`` lie; ``before`` it are other videos'."""
    BLOCKS: tl.constexpr = (D + 31) // 32
    return k_scales + before + start * BLOCKS, v_scales + before + start * BLOCKS


@triton.jit
def _store(out_rows, result, first, tokens, heads, D: tl.constexpr):
    """Write a tile of results of one head, its first row ``first`` of ``tokens``."""
    row, column = first + tl.arange(0, result.shape[0]), tl.arange(0, result.shape[1])
    place = (row.to(tl.int64) * heads * D)[:, None] + column[None, :]
    mask = (row < tokens)[:, None] & (column < D)[None, :]
    tl.store(out_rows + place, result.to(out_rows.dtype.element_ty), mask=mask)


INTERPRETED = not isinstance(_attend, triton.JITFunction)
# the interpreter multiplies the raw bits of bfloat16; float32 would leave the tensor cores idle
DTYPES = (torch.float16, torch.float32) if INTERPRETED else (torch.float16, torch.bfloat16)
# TMA reads whole 16 bytes
ALIGNED = 16
WIDEST = 128
ERRORS = (triton.TritonError, *FAILURES)
# Hopper has 132 multiprocessors, each runs two programs of 128 queries at a time
BUSY = 264


def config_for(
    capability: tuple[int, int] | None, dim: int, programs: int = BUSY, codes: bool = False
) -> Config:
    """Return the tiles for a card.

    On Hopper they were measured (H100, Triton 3.6, 64 and 128 channels compile without spills): two
    tiles of 64 queries in turns reach 0.92 of dense SDPA's rate where 128 in one reach 0.83. Calls
    that leave multiprocessors idle so want half the queries per program. Other cards get the
    largest tiles that spill no registers, with any Triton from 3.4 to 3.9.

    Args:
        capability: of an NVIDIA card; None for anything else.
        programs: how many there would be, of 128 queries each.
        codes: pools hold codes, which registers must have room to be turned to numbers in.
    """
    if codes:
        return _config_for_codes(capability, dim)
    if capability is None:
        return Config(128, 32, 8, 1)
    if (9, 0) <= capability < (10, 0):
        return Config(64, 64, 4, 2, 2) if programs >= BUSY else Config(64, 64, 4, 3)
    if (10, 0) <= capability < (12, 0):
        return Config(128, 128, 8, 2)
    if capability >= (12, 0) and dim > 64:
        return Config(128, 32, 8, 3)
    return Config(128, 64, 8, 3)


def _config_for_codes(capability: tuple[int, int] | None, dim: int) -> Config:
    """Return tiles in which codes are turned to numbers without spills; none was timed.

    Many queries and few keys: each program turns all keys of its head. With twice as many keys
    Triton 3.4 spills on sm_100 and sm_120.
    """
    if capability is None:
        return Config(128, 32 if dim <= 64 else 16, 8, 1)
    if (9, 0) <= capability < (12, 0):
        return Config(128, 64, 8, 2)
    return Config(128, 32 if dim <= 64 else 16, 8, 2)


def refusal(q: Tensor, pools: Pools, spans: Sequence[Span], scale: float) -> Exception | None:
    """Return why a call cannot be done here, None if it can."""
    plain = plain_refusal(q, DTYPES, triton.__version__, INTERPRETED)
    if plain is not None:
        return plain
    dim = q.shape[-1]
    if dim % 8 or dim > WIDEST:
        return ValueError(
            f"impl must be another one for {dim} channels per head, got triton; "
            f"it takes multiples of 8 up to {WIDEST}"
        )
    if not scale > 0:
        return ValueError(f"impl must be another one for scale={scale}, got triton")
    if pools.codes is not None and dim % ALIGNED:
        return ValueError(
            f"impl must be another one for {dim} channels per head in {pools.codes}, got triton; "
            f"it takes multiples of {ALIGNED}"
        )
    if pools.codes is not None and pools.k_scales.stride(0) != pools.v_scales.stride(0):
        return ValueError("impl must be another one for scales that lie unlike, got triton")
    if any(
        x.data_ptr() % ALIGNED or x.stride(0) * x.element_size() % ALIGNED
        for x in (pools.k, pools.v)
    ):
        return ValueError(
            f"impl must be another one for pools that do not start at a multiple of {ALIGNED} "
            "bytes, got triton"
        )
    return None


@cache
def works(
    device: torch.device, dtype: torch.dtype, dim: int, codes: torch.dtype | None = None
) -> bool:
    """Say whether the kernel compiles and is right on a device; found out once, told once."""
    what = f"attention in {dtype} with {dim} channels per head on {device}"
    return passes(what, partial(_agrees, device, dtype, dim, codes), ERRORS)


def _agrees(device: torch.device, dtype: torch.dtype, dim: int, codes: torch.dtype | None) -> bool:
    """Compare a tile and a rest of one head with PyTorch."""
    rows, start = 200, 8
    rng = torch.Generator().manual_seed(0)
    q, k, v = (
        torch.randn(1, rows, 1, dim, generator=rng).to(device, dtype).contiguous() for _ in range(3)
    )
    spans = [Span(start, rows - start)]
    pools = Pools(k[:, :, 0], v[:, :, 0])
    if codes is not None:
        (k, k_scales), (v, v_scales) = (encoded(x, codes, turns=x is k) for x in (k, v))
        pools = Pools(*(x[:, :, 0].contiguous() for x in (k, v, k_scales, v_scales)))
        k, v = (x[:, :, None].to(dtype) for x in pools.rows(0, rows))
    found = forward(q, pools, spans, dim**-0.5)
    keys, values = (x[:, start:].transpose(1, 2) for x in (k, v))
    plain = scaled_dot_product_attention(q.transpose(1, 2), keys, values).transpose(1, 2)
    return torch.allclose(found, plain, atol=2e-2, rtol=2e-2)


def forward(
    q: Tensor,
    pools: Pools,
    spans: Sequence[Span],
    scale: float,
    table: Tensor | None = None,
) -> Tensor:
    batch, tokens, heads, dim = q.shape
    programs = triton.cdiv(tokens, 128) * batch * heads
    config = config_for(capability_of(q.device), dim, programs, pools.codes is not None)
    table = span_table(spans, q.device) if table is None else table
    return launch(q, pools, table, scale, config)


def launch(q: Tensor, pools: Pools, table: Tensor, scale: float, config: Config) -> Tensor:
    """Attend with given tiles; see ``head_attention``."""
    batch, tokens, heads, dim = q.shape
    q = _aligned(q)
    out = torch.empty((batch, tokens, heads, dim), dtype=q.dtype, device=q.device)
    rows = [as_bytes(x) for x in (pools.k, pools.v)]
    # where there are none a kernel is given something that it does not read
    scales = rows if pools.codes is None else [pools.k_scales, pools.v_scales]
    run = partial(
        _attend[triton.cdiv(tokens, config.queries * config.tiles), batch, heads],
        *(q, *rows, *scales, out, table),
        *(*q.stride()[:3], *(x.stride(0) for x in (*rows, scales[0]))),
        *(tokens, scale * log2(e)),
        D=dim,
        WIDTH=max(16, triton.next_power_of_2(dim)),
        FORMAT=FORMATS[pools.codes],
        TILE_Q=config.queries,
        TILE_K=config.keys,
        TILES=config.tiles,
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
