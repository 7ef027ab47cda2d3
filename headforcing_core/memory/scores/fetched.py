"""Scores on their way from the device: the one transfer of a commit."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor


class Scores(NamedTuple):
    """Scores on the device, and what each of them is of.

    values: ``[len(of)]`` in float32.
    """

    of: Sequence[Hashable]
    values: Tensor


Told = dict[Hashable, float]


def fetched(scores: Mapping[Hashable, Scores]) -> dict[Hashable, Told]:
    """Bring scores from the device, all of them together; where there are none, do not wait."""
    if not scores:
        return {}
    values = iter(torch.cat([score.values for score in scores.values()]).tolist())
    return {name: dict(zip(score.of, values, strict=False)) for name, score in scores.items()}
