"""Softmax over the keys of one head, tile by tile: for one tile of queries, or two in turns.

Sums are float32. The largest score so far, ``best``, is in units of log2 (Milakov and Gimelshein,
arXiv 1805.02867; Dao, arXiv 2307.08691). Two tiles in turns: tensor cores multiply for one while
the other waits for its exponentials, and keys are read once for both (the idea of Shah et al.,
arXiv 2407.08608, the order left to the compiler).
"""

from __future__ import annotations

import triton
import triton.language as tl

from ..triton_codes import read_tile


@triton.jit
def _weights(q, k, best, total, keys, scale, MASKED: tl.constexpr):
    """Return the weights of a tile of keys, ``[TILE_Q, TILE_K]``, and the softmax with them.

    The other three are ``[TILE_Q]``: the best score, the sum of weights, and what all before is
    multiplied by. Of the tile, ``keys`` rows exist.
    """
    scores = tl.dot(q, tl.trans(k))  # [TILE_Q, TILE_K], float32
    if MASKED:
        inside = tl.arange(0, k.shape[0]) < keys
        scores = tl.where(inside[None, :], scores, float("-inf"))
    higher = tl.maximum(best, tl.max(scores, 1) * scale)
    # fma by name: Triton 3.10 no longer fuses by itself
    weights = tl.math.exp2(tl.fma(scores, scale, -higher[:, None]))
    shrink = tl.math.exp2(best - higher)
    return weights, higher, total * shrink + tl.sum(weights, 1), shrink


@triton.jit
def _add_tile(q, k, v, best, total, acc, keys, scale, MASKED: tl.constexpr):
    weights, best, total, shrink = _weights(q, k, best, total, keys, scale, MASKED)
    acc = tl.dot(weights.to(v.dtype), v, acc * shrink[:, None])
    return best, total, acc


@triton.jit
def over_keys(
    q,
    k_rows,
    v_rows,
    k_scales,
    v_scales,
    length,
    scale,
    D: tl.constexpr,
    FORMAT: tl.constexpr,
    TILE_K: tl.constexpr,
):
    """Return softmax(scale * Q K^T) V of one tile of queries, ``[TILE_Q, WIDTH]`` float32."""
    best = tl.full([q.shape[0]], float("-inf"), tl.float32)
    total = tl.zeros([q.shape[0]], tl.float32)
    acc = tl.zeros([q.shape[0], q.shape[1]], tl.float32)
    whole = length // TILE_K * TILE_K
    for row in tl.range(0, whole, TILE_K):
        k = read_tile(k_rows, k_scales, row, length, q, D, FORMAT, TILE_K)
        v = read_tile(v_rows, v_scales, row, length, q, D, FORMAT, TILE_K)
        best, total, acc = _add_tile(q, k, v, best, total, acc, TILE_K, scale, False)
    if whole < length:
        k = read_tile(k_rows, k_scales, whole, length, q, D, FORMAT, TILE_K)
        v = read_tile(v_rows, v_scales, whole, length, q, D, FORMAT, TILE_K)
        best, total, acc = _add_tile(q, k, v, best, total, acc, length - whole, scale, True)
    return acc / total[:, None]


@triton.jit
def _add_tile_to_two(
    q, more, k, v, best, best2, total, total2, acc, acc2, keys, scale, MASKED: tl.constexpr
):
    weights, best, total, shrink = _weights(q, k, best, total, keys, scale, MASKED)
    acc = acc * shrink[:, None]
    weights2, best2, total2, shrink2 = _weights(more, k, best2, total2, keys, scale, MASKED)
    acc = tl.dot(weights.to(v.dtype), v, acc)
    acc2 = tl.dot(weights2.to(v.dtype), v, acc2 * shrink2[:, None])
    return best, best2, total, total2, acc, acc2


@triton.jit
def over_keys_for_two(
    q,
    more,
    k_rows,
    v_rows,
    k_scales,
    v_scales,
    length,
    scale,
    D: tl.constexpr,
    FORMAT: tl.constexpr,
    TILE_K: tl.constexpr,
):
    """Return what ``over_keys`` does, of two tiles of queries."""
    best = tl.full([q.shape[0]], float("-inf"), tl.float32)
    total = tl.zeros([q.shape[0]], tl.float32)
    acc = tl.zeros([q.shape[0], q.shape[1]], tl.float32)
    best2, total2, acc2 = best, total, acc
    whole = length // TILE_K * TILE_K
    for row in tl.range(0, whole, TILE_K):
        k = read_tile(k_rows, k_scales, row, length, q, D, FORMAT, TILE_K)
        v = read_tile(v_rows, v_scales, row, length, q, D, FORMAT, TILE_K)
        best, best2, total, total2, acc, acc2 = _add_tile_to_two(
            q, more, k, v, best, best2, total, total2, acc, acc2, TILE_K, scale, False
        )
    if whole < length:
        k = read_tile(k_rows, k_scales, whole, length, q, D, FORMAT, TILE_K)
        v = read_tile(v_rows, v_scales, whole, length, q, D, FORMAT, TILE_K)
        best, best2, total, total2, acc, acc2 = _add_tile_to_two(
            q, more, k, v, best, best2, total, total2, acc, acc2, length - whole, scale, True
        )
    return acc / total[:, None], acc2 / total2[:, None]
