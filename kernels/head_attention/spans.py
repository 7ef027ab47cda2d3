"""The rows of a pool that heads read, as integers and as a tensor on a device."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor


class Span(NamedTuple):
    """The rows of a pool that one head reads: ``start <= row < start + length``."""

    start: int
    length: int


def span_table(spans: Sequence[Span], device: torch.device | str) -> Tensor:
    """Put spans on a device once for all calls that read them.

    Returns:
        ``[3, H]`` int32: first row of each head, length of each head, and the heads longest first,
        so that long ones are not what a GPU waits for in the end.
    """
    starts, lengths = ([span[part] for span in spans] for part in (0, 1))
    order = sorted(range(len(spans)), key=lambda head: -lengths[head])
    return torch.tensor([starts, lengths, order], dtype=torch.int32, device=device)
