"""Scores on their way from the device: the one transfer of a commit."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from ...ranks import Ranks


class Scores(NamedTuple):
    """Scores on the device, and what each of them is of.

    values: ``[len(of)]`` in float32.
    """

    of: Sequence[Hashable]
    values: Tensor


Told = dict[Hashable, float]


def fetched(scores: Mapping[Hashable, Scores], ranks: Ranks | None = None) -> dict[Hashable, Told]:
    """Bring scores from the device, all of them together; where there are none, do not wait.

    Args:
        ranks: where several make the video, all follow the first one's numbers: cards that are
            not alike may round otherwise.
    """
    if not scores:
        return {}
    all_scores = torch.cat([score.values for score in scores.values()])
    agreed = all_scores if ranks is None else ranks.agreed(all_scores)
    values = iter(agreed.tolist())
    return {name: dict(zip(score.of, values, strict=False)) for name, score in scores.items()}
