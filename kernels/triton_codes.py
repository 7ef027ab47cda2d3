"""Codes and scales in registers: what ``eight_bits`` says, for kernels.

Short floats are made and read by their bits: cards before sm_89 have no instructions for them. They
come as uint8.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

# how rows lie in memory, for kernels: as numbers, or as codes
PLAIN, INT8, FP8 = 0, 1, 2
FORMATS = {None: PLAIN, torch.int8: INT8, torch.float8_e4m3fn: FP8}


def as_bytes(x: Tensor) -> Tensor:
    """Return short floats as their bits, all else as it is."""
    return x.view(torch.uint8) if x.dtype == torch.float8_e4m3fn else x


@triton.jit
def numbers(codes, FORMAT: tl.constexpr):
    """Return codes as float32, what they count in left out."""
    if FORMAT == 1:
        found = codes.to(tl.float32)
    else:
        bits = codes.to(tl.uint16)
        # the same sign, exponent and fraction in half precision, whose exponents begin 8 lower
        half = ((bits & 0x80) << 8) | ((bits & 0x7F) << 7)
        found = half.to(tl.float16, bitcast=True).to(tl.float32) * 256.0
    return found


@triton.jit
def rounded(x, FORMAT: tl.constexpr):
    """Return float32 as codes: the nearest, of two the even one; what is no number is 0."""
    x = tl.where(x == x, x, 0.0)
    if FORMAT == 1:
        x = tl.minimum(tl.maximum(x, -127.0), 127.0)
        # float32 this large has no fraction
        codes = ((x + 12582912.0) - 12582912.0).to(tl.int8)
    else:
        x = tl.minimum(tl.maximum(x, -448.0), 448.0)
        bits = x.to(tl.uint32, bitcast=True)
        size = bits & 0x7FFFFFFF
        normal = ((size + 0x7FFFF + ((size >> 20) & 1)) >> 20) - 960  # exponents begin 120 lower
        # below the least normal number, 2 ** -6, they are multiples of 2 ** -9
        small = (tl.abs(x) + 16384.0).to(tl.uint32, bitcast=True) - 0x46800000
        code = tl.where(size < 0x3C800000, small, normal)
        codes = (code | ((bits >> 24) & 0x80)).to(tl.uint8)
    return codes


@triton.jit
def scales_of(sizes, FORMAT: tl.constexpr):
    """Return scales ``[TILE, blocks]``, rounded to bfloat16, as float32.

    Args:
        sizes: ``[TILE, blocks, any]`` what is to be at most the largest code, float32.
    """
    largest = 127.0 if FORMAT == 1 else 448.0
    # a maximum passes over what is no number
    scale = tl.div_rn(tl.max(sizes, 2) + tl.sum(sizes * 0.0, 2), largest)
    bits = scale.to(tl.uint32, bitcast=True)
    bits = (bits + 0x7FFF + ((bits >> 16) & 1)) & 0xFFFF0000
    return tl.where(scale == scale, bits.to(tl.float32, bitcast=True), scale)


@triton.jit
def encoded(x, scale, FORMAT: tl.constexpr):
    """Return codes ``[TILE, WIDTH]`` of numbers whose scales ``[TILE, blocks]`` are known."""
    TILE: tl.constexpr = x.shape[0]
    WIDTH: tl.constexpr = x.shape[1]
    BLOCK: tl.constexpr = WIDTH // scale.shape[1]
    each = tl.where(scale == 0.0, 1.0, scale)
    blocks = tl.reshape(x, [TILE, WIDTH // BLOCK, BLOCK])
    shared = tl.broadcast_to(each[:, :, None], [TILE, WIDTH // BLOCK, BLOCK])
    return tl.reshape(rounded(tl.div_rn(blocks, shared), FORMAT), [TILE, WIDTH])


@triton.jit
def read_tile(
    rows,
    scales,
    row,
    length,
    like,
    D: tl.constexpr,
    FORMAT: tl.constexpr,
    TILE: tl.constexpr,
):
    """Return a tile of rows, of codes what they stand for in the dtype of ``like``.

    Args:
        rows: descriptor of ``[length, D]``; what is behind the last is zero.
        scales: of the first row.
    """
    x = rows.load([row, 0])
    if FORMAT != 0:
        WIDTH: tl.constexpr = x.shape[1]
        BLOCK: tl.constexpr = 32 if WIDTH > 32 else WIDTH
        BLOCKS: tl.constexpr = (D + BLOCK - 1) // BLOCK
        place = row + tl.arange(0, TILE)
        block = tl.arange(0, WIDTH // BLOCK)
        # behind the last row there may lie anything, and zero times that is not zero
        there = (place < length)[:, None] & (block < BLOCKS)[None, :]
        at = scales + place.to(tl.int64)[:, None] * BLOCKS + block[None, :]
        scale = tl.load(at, mask=there, other=0.0).to(tl.float32)
        blocks = tl.reshape(numbers(x, FORMAT), [TILE, WIDTH // BLOCK, BLOCK])
        x = tl.reshape(blocks * scale[:, :, None], [TILE, WIDTH]).to(like.dtype)
    return x
