"""Which model this is: a name made from its weights."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256

import numpy as np
import torch
from torch import Tensor

# looked at of every weight: enough that an adapter of a thousandth of its size flips some
SAMPLES = 1 << 16
LENGTH = 16


def fingerprint(weights: Mapping[str, Tensor]) -> str:
    """Return a name that the same weights have in any dtype, and no others.

    Only signs are looked at: rounding to a smaller float never changes one, so that float32,
    bfloat16, float16 and float8 files of one model agree, while an adapter that moves weights by a
    thousandth of their size flips the sign of a few in ten thousand.

    Args:
        weights: by the model's own parameter names; biases and norms do not count.
    """
    digest = sha256()
    for name in sorted(weights):
        weight = weights[name]
        if weight.ndim < 2:
            continue
        digest.update(f"{name} {tuple(weight.shape)}".encode())
        # an odd step walks over rows and columns alike
        step = max(1, weight.numel() // SAMPLES) | 1
        signs = torch.signbit(_bits(weight.detach().flatten()[::step]))
        digest.update(np.packbits(signs.cpu().numpy()).tobytes())
    return digest.hexdigest()[:LENGTH]


def _bits(values: Tensor) -> Tensor:
    """Widen what ``signbit`` does not know; no sign changes."""
    return values.float() if values.dtype.itemsize == 1 else values
