"""One program per tile of queries and frame: a running log-sum-exp, no matrix, no atomics.

It compiles for the cards that attention compiles for and is right in Triton's interpreter. It has
not run on a card yet.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, partial
from math import e, log, log2

import torch
import triton
import triton.language as tl
from torch import Tensor

from ..config import Config
from ..head_attention import Span, span_table
from ..triton_choice import FAILURES, capability_of, on_card, passes, plain_refusal

LN_2 = tl.constexpr(log(2))


@triton.jit(do_not_specialize=["tokens", "queries", "batch"])
def _sum_frame(
    q,
    k_pool,
    out,
    table,
    q_batch,
    q_token,
    q_head,
    k_batch,
    k_row,
    tokens,
    queries,
    batch,
    scale,
    D: tl.constexpr,
    WIDTH: tl.constexpr,
    TILE_Q: tl.constexpr,
    TILE_K: tl.constexpr,
):
    """Sum the keys of one frame for TILE_Q queries of one head.

    Grid ``[blocks of queries, frames, batch * heads]``; ``scale`` is positive, with log2(e).
    """
    frame = tl.program_id(1)
    entry, head = (tl.program_id(2) % batch).to(tl.int64), (tl.program_id(2) // batch).to(tl.int64)
    first = tl.load(table + head).to(tl.int64) + frame.to(tl.int64) * tokens
    row = (tl.program_id(0) * TILE_Q + tl.arange(0, TILE_Q)).to(tl.int64)
    column, own = tl.arange(0, WIDTH), tl.arange(0, TILE_K)
    own_q = q + entry * q_batch + head * q_head + row[:, None] * q_token + column[None, :]
    own_k = k_pool + entry * k_batch + first * k_row + own[:, None] * k_row + column[None, :]
    wide = (column < D)[None, :]
    tile = tl.load(own_q, mask=(row < queries)[:, None] & wide, other=0.0)  # [TILE_Q, WIDTH]
    best = tl.full([TILE_Q], float("-inf"), tl.float32)
    total = tl.zeros([TILE_Q], tl.float32)
    for done in tl.range(0, tokens, TILE_K):
        inside = own < tokens - done
        k = tl.load(own_k, mask=inside[:, None] & wide, other=0.0)  # [TILE_K, WIDTH]
        own_k += TILE_K * k_row
        scores = tl.dot(tile, tl.trans(k))  # [TILE_Q, TILE_K], float32
        scores = tl.where(inside[None, :], scores, float("-inf"))
        higher = tl.maximum(best, tl.max(scores, 1) * scale)
        weights = tl.math.exp2(tl.fma(scores, scale, -higher[:, None]))
        total = total * tl.math.exp2(best - higher) + tl.sum(weights, 1)
        best = higher
    heads = tl.num_programs(2) // batch
    place = ((entry * heads + head) * tl.num_programs(1) + frame) * queries + row
    tl.store(out + place, (best + tl.math.log2(total)) * LN_2, mask=row < queries)


INTERPRETED = not isinstance(_sum_frame, triton.JITFunction)
# the interpreter multiplies the raw bits of bfloat16; float32 would leave the tensor cores idle
DTYPES = (torch.float16, torch.float32) if INTERPRETED else (torch.float16, torch.bfloat16)
WIDEST = 128
ERRORS = (triton.TritonError, *FAILURES)


def config_for(capability: tuple[int, int] | None, dim: int) -> Config:
    """Return tiles that spill no registers, with any Triton from 3.4 to 3.9."""
    return Config(128, 64, 8, 3)


def refusal(
    q: Tensor, k_pool: Tensor, spans: Sequence[Span], tokens: int, scale: float
) -> Exception | None:
    """Return why a call cannot be done here, None if it can."""
    plain = plain_refusal(q, DTYPES, triton.__version__, INTERPRETED)
    if plain is not None:
        return plain
    dim = q.shape[-1]
    if dim > WIDEST:
        return ValueError(
            f"impl must be another one for {dim} channels per head, got triton; "
            f"it takes up to {WIDEST}"
        )
    if not scale > 0:
        return ValueError(f"impl must be another one for scale={scale}, got triton")
    return None


@cache
def works(device: torch.device, dtype: torch.dtype, dim: int) -> bool:
    """Say whether the kernel compiles and is right on a device; found out once, told once."""
    what = f"attention per frame in {dtype} with {dim} channels per head on {device}"
    return passes(what, partial(_agrees, device, dtype, dim), ERRORS)


def _agrees(device: torch.device, dtype: torch.dtype, dim: int) -> bool:
    """Compare two frames, of a tile and a rest each, with PyTorch."""
    frames, tokens, start = 2, 100, 3
    rng = torch.Generator().manual_seed(0)
    q, k = (torch.randn(1, 203, 1, dim, generator=rng).to(device, dtype) for _ in range(2))
    found = forward(q, k[:, :, 0], [Span(start, frames * tokens)], tokens, dim**-0.5)
    scores = q[:, :, 0].float() @ k[0, start:, 0].float().T * dim**-0.5
    return torch.allclose(
        found[:, 0], scores.unflatten(2, (frames, tokens)).logsumexp(-1), atol=1e-3, rtol=1e-3
    )


def forward(
    q: Tensor,
    k_pool: Tensor,
    spans: Sequence[Span],
    tokens: int,
    scale: float,
    table: Tensor | None = None,
) -> Tensor:
    table = span_table(spans, q.device) if table is None else table
    config = config_for(capability_of(q.device), q.shape[-1])
    return launch(q, k_pool, table, spans[0].length // tokens, tokens, scale, config)


def launch(
    q: Tensor,
    k_pool: Tensor,
    table: Tensor,
    frames: int,
    tokens: int,
    scale: float,
    config: Config,
) -> Tensor:
    """Sum with given tiles; see ``frame_logsumexp``."""
    batch, queries, heads, dim = q.shape
    q, k_pool = (x if x.stride(-1) == 1 else x.contiguous() for x in (q, k_pool))
    out = torch.empty((batch, heads, frames, queries), dtype=torch.float32, device=q.device)
    with on_card(q.device):
        _sum_frame[triton.cdiv(queries, config.queries), frames, batch * heads](
            *(q, k_pool, out, table),
            *(q.stride(0), q.stride(1), q.stride(2), k_pool.stride(0), k_pool.stride(1)),
            *(tokens, queries, batch, scale * log2(e)),
            D=dim,
            WIDTH=max(16, triton.next_power_of_2(dim)),
            TILE_Q=config.queries,
            TILE_K=config.keys,
            num_warps=config.warps,
            num_stages=config.stages,
        )
    return out.transpose(2, 3)
