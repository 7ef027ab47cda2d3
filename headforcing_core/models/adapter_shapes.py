"""Whether what an adapter holds makes changes of the size of a model's weights."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from math import prod

from .adapter_names import AdapterName

Shape = tuple[int, ...]
PAIRS = (("lora_up.weight", "lora_down.weight"), ("lora_B.weight", "lora_A.weight"))


def check_adapter(
    names: Sequence[AdapterName], stored: Mapping[str, Shape], weights: Mapping[str, Shape]
) -> None:
    """Refuse parts that make no change of their weight: hosts log that and go on without them.

    Args:
        stored: shapes in the file.
        weights: shapes in the model.

    Raises:
        ValueError: which parts of which module, and what it has.
    """
    by_module: dict[str, dict[str, Shape]] = defaultdict(dict)
    for name in names:
        by_module[name.module][name.part] = stored[name.at]
    for module, parts in by_module.items():
        weight = weights[f"{module}.weight"]
        if not _fits(parts, weight, weights.get(f"{module}.bias")):
            got = ", ".join(f"{part} {list(shape)}" for part, shape in sorted(parts.items()))
            raise ValueError(
                f"a LoRA must fit the model, got {got} for {module} of {list(weight)}; it is of "
                "another model, or incomplete"
            )


def _fits(parts: Mapping[str, Shape], weight: Shape, bias: Shape | None) -> bool:
    rows, columns = flat = (weight[0], prod(weight[1:]))
    made = list(_made(parts))
    return (
        all(shape == flat for shape in made)
        and bool(made or "diff_b" in parts)
        and prod(parts.get("alpha", ())) == 1
        and parts.get("dora_scale", (rows, 1)) in ((rows, 1), (1, columns))
        and ("diff_b" not in parts or parts["diff_b"] == bias)
    )


def _made(parts: Mapping[str, Shape]) -> Iterator[Shape | None]:
    """Yield the rows and columns of every change that parts make; None if they do not fit."""
    for pair in PAIRS:
        if any(part in parts for part in pair):
            yield _product(*map(parts.get, pair))
    if any(part.startswith("lokr_") for part in parts):
        one, two = (_factor(parts, f"lokr_{w}") for w in ("w1", "w2"))
        # the Kronecker product
        yield one and two and (one[0] * two[0], one[1] * two[1])
    if any(part.startswith("hada_") for part in parts):
        one, two = (_factor(parts, f"hada_{w}") for w in ("w1", "w2"))
        yield one if one == two else None
    if "diff" in parts:
        yield (*parts["diff"][:1], prod(parts["diff"][1:]))


def _factor(parts: Mapping[str, Shape], name: str) -> Shape | None:
    """Return the shape of a factor that is there whole, or as a product of two."""
    if name in parts:
        return parts[name] if len(parts[name]) == 2 else None
    return _product(parts.get(f"{name}_a"), parts.get(f"{name}_b"))


def _product(left: Shape | None, right: Shape | None) -> Shape | None:
    if not left or not right or min(len(left), len(right)) < 2 or prod(left[1:]) != right[0]:
        return None
    return left[0], prod(right[1:])
