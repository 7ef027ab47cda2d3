"""Inputs for kernels, and where kernels run."""

from importlib.util import find_spec

import pytest
import torch

from headforcing.kernels import Span, encoded
from headforcing.kernels.head_attention.pools import Pools

GPU = torch.cuda.is_available()
DEVICE = "cuda" if GPU else "cpu"


def obstacle():
    """Say why Triton cannot be tested here."""
    if find_spec("triton") is None:
        return "needs the package triton: pip install triton"
    import triton

    old = tuple(map(int, triton.__version__.split(".")[:2])) < (3, 7)
    # before, it cannot do with numpy 2.4, and 3.4 takes elements for bytes
    return "needs a GPU or Triton 3.7: its interpreter" if old and not GPU else ""


needs_triton = pytest.mark.skipif(bool(obstacle()), reason=obstacle())

# what Triton runs here: float32 is for the interpreter, bfloat16 for a GPU
TRITON_DTYPES = [
    pytest.param(
        torch.float32,
        id="float32",
        marks=pytest.mark.skipif(GPU, reason="on a GPU float32 is left to PyTorch"),
    ),
    pytest.param(torch.float16, id="float16"),
    pytest.param(
        torch.bfloat16,
        id="bfloat16",
        marks=pytest.mark.skipif(
            not GPU, reason="needs a GPU: Triton's interpreter multiplies the bits of bfloat16"
        ),
    ),
]
EXACT = torch.float16 if GPU else torch.float32


def make(batch, tokens, dim, lengths, dtype=torch.float32, gap=2, seed=0, device="cpu"):
    """Random queries and pools; rows that no head may read are NaN."""
    rng = torch.Generator().manual_seed(seed)
    spans, at = [], gap
    for length in lengths:
        spans.append(Span(at, length))
        at += length + gap
    q = torch.randn(batch, tokens, len(lengths), dim, generator=rng)
    k, v = (torch.full((batch, at, dim), float("nan")) for _ in range(2))
    for start, length in spans:
        for pool in (k, v):
            pool[:, start : start + length] = torch.randn(batch, length, dim, generator=rng)
    return *(x.to(device, dtype) for x in (q, k, v)), spans


def coded(k, v, codes):
    """Pools of codes; rows that are NaN have scales that are."""
    (k, k_scales), (v, v_scales) = encoded(k, codes, turns=True), encoded(v, codes, turns=False)
    return Pools(k, v, k_scales, v_scales)
