"""One program per tile of tokens and moved page: what moves is read once and written once.

It compiles for the cards that attention compiles for and is right in Triton's interpreter. It has
not run on a card yet.
"""

from __future__ import annotations

from functools import cache, partial

import torch
import triton
import triton.language as tl
from torch import Tensor

from ..eight_bits import LARGEST
from ..rotation import rotate
from ..triton_choice import FAILURES, on_card, passes, plain_refusal
from ..triton_codes import FORMATS, as_bytes, numbers, rounded


@triton.jit(do_not_specialize=["tokens", "groups"])
def _turn(
    keys,
    raw,
    slots,
    source,
    turns,
    keys_batch,
    keys_head,
    keys_slot,
    keys_row,
    raw_batch,
    raw_head,
    raw_page,
    raw_row,
    tokens,
    groups,
    TIME: tl.constexpr,
    CHANNELS: tl.constexpr,
    WIDTH: tl.constexpr,
    FORMAT: tl.constexpr,
    TILE: tl.constexpr,
):
    """Turn TIME of CHANNELS of TILE tokens of one page of one head, and copy the others.

    ``turns`` are pairs of cosine and sine.

    Grid ``[blocks of tokens, moved pages, B * G]``.
    """
    moved = tl.program_id(1)
    entry = (tl.program_id(2) // groups).to(tl.int64)
    head = (tl.program_id(2) % groups).to(tl.int64)
    slot = tl.load(slots + moved).to(tl.int64)
    page = tl.load(source + moved).to(tl.int64)
    row = (tl.program_id(0) * TILE + tl.arange(0, TILE)).to(tl.int64)
    column = tl.arange(0, WIDTH)
    mask = (row < tokens)[:, None] & (column < CHANNELS)[None, :]
    place = raw + entry * raw_batch + head * raw_head + page * raw_page
    x = tl.load(place + row[:, None] * raw_row + column[None, :], mask=mask, other=0)
    if TIME:
        number = x if FORMAT == 0 else numbers(x, FORMAT)
        even, odd = tl.split(tl.reshape(number, [TILE, WIDTH // 2, 2]))  # [TILE, WIDTH // 2]
        even, odd = even.to(tl.float32), odd.to(tl.float32)
        turn = tl.load(turns + moved * TIME + column, mask=column < TIME, other=0.0)
        cos, sin = tl.split(tl.reshape(turn, [1, WIDTH // 2, 2]))  # [1, WIDTH // 2]
        turned = tl.join(even * cos - odd * sin, even * sin + odd * cos)
        turned = tl.reshape(turned, [TILE, WIDTH])
        turned = turned.to(keys.dtype.element_ty) if FORMAT == 0 else rounded(turned, FORMAT)
        x = tl.where((column < TIME)[None, :], turned, x)
    place = keys + entry * keys_batch + head * keys_head + slot * keys_slot
    tl.store(place + row[:, None] * keys_row + column[None, :], x, mask=mask)


INTERPRETED = not isinstance(_turn, triton.JITFunction)
# the interpreter cuts bfloat16 off where a GPU rounds it
DTYPES = (torch.float16, torch.float32, *(() if INTERPRETED else (torch.bfloat16,)))
TILE, WARPS = 64, 4
ERRORS = (triton.TritonError, *FAILURES)


def refusal(
    keys: Tensor, raw: Tensor, slots: Tensor, source: Tensor, turns: Tensor
) -> Exception | None:
    """Return why a call cannot be done here, None if it can."""
    if keys.stride(-1) != 1:
        return ValueError(
            f"impl must be another one for keys with strides {keys.stride()}, got triton; "
            "channels must be neighbours"
        )
    return plain_refusal(keys, (*DTYPES, *LARGEST), triton.__version__, INTERPRETED)


@cache
def works(device: torch.device, dtype: torch.dtype, channels: int) -> bool:
    """Say whether the kernel compiles and is right on a device; found out once, told once."""
    what = f"re-encoding {channels} channels of {dtype} on {device}"
    return passes(what, partial(_agrees, device, dtype, channels), ERRORS)


def _agrees(device: torch.device, dtype: torch.dtype, channels: int) -> bool:
    """Turn half of two pages, copy the other half, and look at those that stay."""
    rng, time = torch.Generator().manual_seed(0), channels // 4 * 2
    codes = dtype in LARGEST
    raw = torch.randn(1, 2, 3, TILE + 1, channels, generator=rng) * (20 if codes else 1)
    raw = raw.to(dtype)
    turns = torch.polar(torch.ones(2, time // 2), torch.randn(2, time // 2, generator=rng))
    slots, source = torch.tensor([3, 0]), torch.tensor([1, 2])
    keys = torch.zeros(1, 2, 4, TILE + 1, channels + 8, dtype=dtype, device=device)
    forward(keys, *(x.to(device) for x in (raw, slots, source, turns)))
    plain = torch.zeros(keys.shape)
    pages = raw[:, :, source].float()
    plain[:, :, slots, :, :time] = rotate(pages[..., :time], turns[:, None])
    plain[:, :, slots, :, time:channels] = pages[..., time:]
    # a code that is rounded is off by half, or by the last of its three bits
    off = {"atol": 0.51, "rtol": 0.07} if codes else {"atol": 2e-2, "rtol": 2e-2}
    return torch.allclose(keys.float(), plain.to(device), **off)


def forward(keys: Tensor, raw: Tensor, slots: Tensor, source: Tensor, turns: Tensor) -> None:
    batch, groups, _, tokens, _ = keys.shape
    own, raw = as_bytes(keys), as_bytes(raw)
    slots, source = slots.contiguous(), source.contiguous()
    raw = raw if raw.stride(-1) == 1 else raw.contiguous()
    grid = (triton.cdiv(tokens, TILE), len(slots), batch * groups)
    with on_card(keys.device):
        _turn[grid](
            *(own, raw, slots, source, torch.view_as_real(turns.contiguous())),
            *(*keys.stride()[:4], *raw.stride()[:4], tokens, groups),
            TIME=2 * turns.shape[-1],
            CHANNELS=raw.shape[-1],
            WIDTH=max(2, triton.next_power_of_2(raw.shape[-1])),
            FORMAT=FORMATS[keys.dtype if keys.dtype in LARGEST else None],
            TILE=TILE,
            num_warps=WARPS,
        )
