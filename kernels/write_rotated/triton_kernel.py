"""One program per tile of tokens and head: what is new is read once and written once.

It compiles for the cards that attention compiles for and is right in Triton's interpreter. It has
not run on a card yet.
"""

from __future__ import annotations

from functools import cache, partial

import torch
import triton
import triton.language as tl
from torch import Tensor

from ..eight_bits import SCALES, blocks_of, decoded
from ..rotation import rotate
from ..triton_choice import FAILURES, on_card, passes, plain_refusal
from ..triton_codes import FORMATS, as_bytes, encoded, scales_of
from .new_tokens import NewTokens


@triton.jit
def _turned(x, turn, TILE: tl.constexpr, WIDTH: tl.constexpr):
    """Return ``[TILE, WIDTH]`` turned by pairs of cosine and sine, float32."""
    cos, sin = tl.split(tl.reshape(turn, [TILE, WIDTH // 2, 2]))  # [TILE, WIDTH // 2]
    even, odd = tl.split(tl.reshape(x, [TILE, WIDTH // 2, 2]))  # [TILE, WIDTH // 2]
    even, odd = even.to(tl.float32), odd.to(tl.float32)
    turned = tl.join(even * cos - odd * sin, even * sin + odd * cos)
    return tl.reshape(turned, [TILE, WIDTH])


@triton.jit(do_not_specialize=["tokens", "page"])
def _write(
    q,
    k,
    v,
    rotation,
    out,
    k_pool,
    v_pool,
    k_scales,
    v_scales,
    rows,
    q_batch,
    q_token,
    q_head,
    k_batch,
    k_token,
    k_head,
    v_batch,
    v_token,
    v_head,
    k_pool_batch,
    v_pool_batch,
    scales_batch,
    tokens,
    page,
    D: tl.constexpr,
    WIDTH: tl.constexpr,
    FORMAT: tl.constexpr,
    TILE: tl.constexpr,
):
    """Rotate and write TILE tokens of one head; ``rotation`` is pairs of cosine and sine.

    Grid ``[blocks of tokens, heads, batch]``; a page is the tokens of a frame.
    """
    heads, entry = tl.num_programs(1), tl.program_id(2).to(tl.int64)
    head = tl.program_id(1).to(tl.int64)
    token = (tl.program_id(0) * TILE + tl.arange(0, TILE)).to(tl.int64)
    column, new = tl.arange(0, WIDTH)[None, :], token < tokens
    mask = new[:, None] & (column < D)
    turn = _tile(rotation, token, D, column, mask)
    x = _tile(q + entry * q_batch + head * q_head, token, q_token, column, mask)
    place = ((entry * tokens + token) * heads + head)[:, None] * D + column
    tl.store(out + place, _turned(x, turn, TILE, WIDTH).to(out.dtype.element_ty), mask=mask)
    row = tl.load(rows + token // page * heads + head, mask=new, other=0).to(tl.int64)
    x = _tile(k + entry * k_batch + head * k_head, token, k_token, column, mask)
    turned, row = _turned(x, turn, TILE, WIDTH), row + token % page
    k_pool, v_pool = k_pool + entry * k_pool_batch, v_pool + entry * v_pool_batch
    _keep(k_pool, k_scales + entry * scales_batch, x, turned, row, column, mask, D, True, FORMAT)
    x = _tile(v + entry * v_batch + head * v_head, token, v_token, column, mask)
    _keep(v_pool, v_scales + entry * scales_batch, x, x, row, column, mask, D, False, FORMAT)


@triton.jit
def _tile(x, token, x_token, column, mask):
    """Return tokens of one head, ``[TILE, WIDTH]``."""
    return tl.load(x + token[:, None] * x_token + column, mask=mask, other=0.0)


@triton.jit
def _keep(
    pool,
    scales,
    x,
    stored,
    row,
    column,
    mask,
    D: tl.constexpr,
    TURNS: tl.constexpr,
    FORMAT: tl.constexpr,
):
    """Write rows of a pool: numbers, or codes and what they count in.

    Args:
        x: what their sizes are taken from, ``stored`` before it was turned.
        TURNS: it will be turned.
    """
    place = row[:, None] * D + column
    if FORMAT == 0:
        tl.store(pool + place, stored.to(pool.dtype.element_ty), mask=mask)
    else:
        WIDTH: tl.constexpr = x.shape[1]
        BLOCK: tl.constexpr = 32 if WIDTH > 32 else WIDTH
        BLOCKS: tl.constexpr = (D + BLOCK - 1) // BLOCK
        sizes = _sizes(x.to(tl.float32), TURNS, BLOCK)
        scale = scales_of(sizes, FORMAT)
        tl.store(pool + place, encoded(stored.to(tl.float32), scale, FORMAT), mask=mask)
        block = tl.arange(0, WIDTH // BLOCK)[None, :]
        there = (tl.sum(mask.to(tl.int32), 1) > 0)[:, None] & (block < BLOCKS)
        at = scales + row[:, None] * BLOCKS + block
        tl.store(at, scale.to(tl.bfloat16), mask=there)


@triton.jit
def _sizes(x, TURNS: tl.constexpr, BLOCK: tl.constexpr):
    """Return what is to be at most the largest code: ``[TILE, blocks, any]``."""
    TILE: tl.constexpr = x.shape[0]
    WIDTH: tl.constexpr = x.shape[1]
    if TURNS:  # no rotation changes the length of a pair
        even, odd = tl.split(tl.reshape(x, [TILE, WIDTH // 2, 2]))
        lengths = tl.sqrt_rn(even * even + odd * odd)
        sizes = tl.reshape(lengths, [TILE, WIDTH // BLOCK, BLOCK // 2])
    else:
        sizes = tl.reshape(tl.abs(x), [TILE, WIDTH // BLOCK, BLOCK])
    return sizes


INTERPRETED = not isinstance(_write, triton.JITFunction)
# the interpreter cuts bfloat16 off where a GPU rounds it
DTYPES = (torch.float16, torch.float32, *(() if INTERPRETED else (torch.bfloat16,)))
TILE, WARPS = 32, 4
ERRORS = (triton.TritonError, *FAILURES)


def refusal(new: NewTokens) -> Exception | None:
    """Return why a call cannot be done here, None if it can."""
    for name, x in {"q": new.q, "k": new.k, "v": new.v}.items():
        if x.stride(-1) != 1:
            return ValueError(
                f"impl must be another one for {name} with strides {x.stride()}, got triton; "
                "channels must be neighbours"
            )
    if new.codes is not None and new.k_scales.stride(0) != new.v_scales.stride(0):
        return ValueError("impl must be another one for scales that lie unlike, got triton")
    return plain_refusal(new.q, DTYPES, triton.__version__, INTERPRETED)


@cache
def works(
    device: torch.device, dtype: torch.dtype, dim: int, codes: torch.dtype | None = None
) -> bool:
    """Say whether the kernel compiles and is right on a device; found out once, told once."""
    what = f"rotating {dim} channels of {dtype} on {device}"
    return passes(what, partial(_agrees, device, dtype, dim, codes), ERRORS)


def _agrees(device: torch.device, dtype: torch.dtype, dim: int, codes: torch.dtype | None) -> bool:
    """Write two frames of two heads, and look at the rows between, too."""
    rng = torch.Generator().manual_seed(0)
    q, k, v = torch.randn(3, 1, 2 * (TILE + 1), 2, dim, generator=rng).to(dtype)
    angles = torch.randn(q.shape[1], dim // 2, generator=rng)
    rotation = torch.polar(torch.ones_like(angles), angles)
    rows = torch.tensor([[3, 2 * TILE], [5 * TILE, 4 * TILE - 9]], dtype=torch.int32)
    plain = [torch.zeros(1, 7 * TILE, dim, dtype=dtype) for _ in "kv"]
    found = [pool.to(device, codes or dtype) for pool in plain]
    shape = (1, 7 * TILE, blocks_of(dim))
    scales = [torch.zeros(shape, dtype=SCALES, device=device) for _ in "kv" if codes]
    moved = (x.to(device) for x in (q, k, v, rotation))
    out = forward(NewTokens(*moved, *found, rows.to(device), *scales))
    if codes:
        found = [decoded(*one) for one in zip(found, scales, strict=True)]
    turned = [rotate(x, rotation[:, None]) for x in (q, k)]
    for frame, head in ((f, h) for f in (0, 1) for h in (0, 1)):
        first, new = int(rows[frame, head]), slice(frame * (TILE + 1), (frame + 1) * (TILE + 1))
        for pool, x in zip(plain, (turned[1], v), strict=True):
            pool[:, first : first + TILE + 1] = x[:, new, head]
    pairs = zip([out, *found], [turned[0], *plain], strict=True)
    # of numbers up to four, half a step of an integer, or the last bit of a short float
    off = {None: 2e-2, torch.int8: 4e-2, torch.float8_e4m3fn: 3e-1}[codes]
    return all(
        torch.allclose(x.float(), y.float().to(device), atol=off, rtol=2e-2) for x, y in pairs
    )


def forward(new: NewTokens) -> Tensor:
    q, k, v, rotation, k_pool, v_pool, rows = new[:7]
    batch, tokens, heads, dim = q.shape
    out = torch.empty(q.shape, dtype=q.dtype, device=q.device)
    pools = [as_bytes(x) for x in (k_pool, v_pool)]
    # where there are none a kernel is given something that it does not touch
    scales = pools if new.codes is None else [new.k_scales, new.v_scales]
    with on_card(q.device):
        _write[triton.cdiv(tokens, TILE), heads, batch](
            *(q, k, v, torch.view_as_real(rotation.contiguous()), out, *pools, *scales),
            *(rows.contiguous(), *q.stride()[:3], *k.stride()[:3], *v.stride()[:3]),
            *(*(x.stride(0) for x in (*pools, scales[0])), tokens, new.page),
            D=dim,
            WIDTH=max(2, triton.next_power_of_2(dim)),
            FORMAT=FORMATS[new.codes],
            TILE=TILE,
            num_warps=WARPS,
        )
    return out
