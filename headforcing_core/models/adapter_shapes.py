"""Whether what an adapter holds makes changes of the size of a model's weights."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from math import prod

from .adapter_names import AdapterName

Shape = tuple[int, ...]
PAIRS = (("lora_up.weight", "lora_down.weight"), ("lora_B.weight", "lora_A.weight"))


def by_module(names: Sequence[AdapterName]) -> dict[str, dict[str, str]]:
    """Return where the parts of every module are stored: module -> part -> name in the file."""
    found: dict[str, dict[str, str]] = defaultdict(dict)
    for name in names:
        found[name.module][name.part] = name.at
    return dict(found)


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
    for module, parts in by_module(names).items():
        shapes = {part: stored[at] for part, at in parts.items()}
        weight = weights[f"{module}.weight"]
        got = ", ".join(f"{part} {list(shape)}" for part, shape in sorted(shapes.items()))
        if len(list(_made(shapes, weight))) > 1:
            raise ValueError(
                f"a LoRA must change each weight in one way, got {got} for {module}; a ComfyUI "
                "would use the last of them alone"
            )
        if not _fits(shapes, weight, weights.get(f"{module}.bias")):
            raise ValueError(
                f"a LoRA must fit the model, got {got} for {module} of {list(weight)}; it is of "
                "another model, or incomplete"
            )


def _fits(parts: Mapping[str, Shape], weight: Shape, bias: Shape | None) -> bool:
    rows, columns = flat = (weight[0], prod(weight[1:]))
    made = list(_made(parts, weight))
    scaled = [part for part in ("alpha", "dora_scale") if part in parts]
    return (
        all(shape == flat for shape in made)
        and all(prod(shape) for shape in parts.values())
        and bool(made or "diff_b" in parts)
        # a scale of nothing, or of a change that hosts put there as it is
        and not (scaled and (not made or "diff" in parts))
        and prod(parts.get("alpha", ())) == 1
        and parts.get("dora_scale", (rows, 1)) in ((rows, 1), (1, columns))
        and ("diff_b" not in parts or parts["diff_b"] == bias)
    )


def _made(parts: Mapping[str, Shape], weight: Shape) -> Iterator[Shape | None]:
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
        # hosts add it as it lies: another shape of as many numbers is passed over
        yield (weight[0], prod(weight[1:])) if parts["diff"] == weight else None


def _factor(parts: Mapping[str, Shape], name: str) -> Shape | None:
    """Return the shape of a factor that is there whole, or as a product of two."""
    if name in parts:
        return parts[name] if len(parts[name]) == 2 else None
    return _product(parts.get(f"{name}_a"), parts.get(f"{name}_b"))


def _product(left: Shape | None, right: Shape | None) -> Shape | None:
    if not left or not right or min(len(left), len(right)) < 2 or prod(left[1:]) != right[0]:
        return None
    return left[0], prod(right[1:])
