"""What the weights of a model are kept in while it runs, and which of them are kept narrow."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

from .published import Published
from .quantised import FP8
from .stored_weights import StoredWeight

# matrices that fp8 files of Wan models have in fp8; what is before and behind the blocks is small
BLOCKS = "blocks."


class WeightDtype(Enum):
    """What weights are kept in.

    SAME: the dtype that the model computes in.
    STORED: matrices that the file stores in fp8 in just that, with their scales; each is made wide
        when it is used. The results are those of SAME.
    FP8: the matrices of all blocks in fp8; those which the file stores otherwise are rounded, with
        a scale per row.
    """

    SAME = "same"
    STORED = "stored"
    FP8 = "fp8"


class NarrowNames(NamedTuple):
    """Weights that lie in fp8: of a file's model, and of its second one if it has one."""

    first: frozenset[str]
    second: frozenset[str]


def narrow_names(published: Published, kept: WeightDtype) -> NarrowNames:
    """Return the weights that will lie in fp8; nothing of a file is read.

    Raises:
        ValueError: if weights are to stay in fp8 and the file has no matrix in it.
    """
    models = [published, *([] if published.second is None else [published.second])]
    if kept is WeightDtype.SAME:
        return NarrowNames(frozenset(), frozenset())
    stored = [_stored_narrow(model) for model in models]
    if kept is WeightDtype.STORED and not any(stored):
        raise ValueError(
            "a file whose weights are kept as they are stored must have matrices in fp8, got none; "
            f"weight dtype {WeightDtype.FP8.value} rounds those in bf16, fp16 and fp32"
        )
    if kept is WeightDtype.FP8:
        stored = [
            names | {w.name for w in model.weights if of_block(w.name, _shape(w, model))}
            for names, model in zip(stored, models, strict=True)
        ]
    return NarrowNames(*stored, *[frozenset()] * (2 - len(stored)))


def of_block(name: str, shape: tuple[int, ...]) -> bool:
    """Whether a weight is a matrix of a block."""
    return name.startswith(BLOCKS) and name.endswith(".weight") and len(shape) == 2


def _stored_narrow(published: Published) -> frozenset[str]:
    return frozenset(
        weight.name
        for weight in published.weights
        if weight.module is not None
        and len(_shape(weight, published)) == 2
        and published.source.dtypes.get(weight.at) in FP8
    )


def _shape(weight: StoredWeight, published: Published) -> tuple[int, ...]:
    return published.source.shapes[weight.at]
