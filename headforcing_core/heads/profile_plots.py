"""A head profile as plots. Needs matplotlib, which is an extra."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from io import BytesIO

import torch
from torch import Tensor

from ..methods import HeadMap
from .classification import Classifier, HeadForcingTypes, mean
from .head_map_pictures import colour_of
from .head_profile import HeadProfile

DPI = 110


def plots(
    profile: HeadProfile, classifier: Classifier, head_map: HeadMap
) -> Iterator[tuple[str, bytes]]:
    """Draw everything about one map; yield (name, PNG).

    Raises:
        RuntimeError: if matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise RuntimeError(
            'plots need matplotlib, which is not installed: pip install -e ".[plots]"'
        ) from error

    def png(draw, *arguments: object, size: tuple[float, float] = (7, 5)) -> bytes:
        figure = Figure(figsize=size, layout="constrained")
        draw(figure, *arguments)
        buffer = BytesIO()
        figure.savefig(buffer, format="png", dpi=DPI)
        return buffer.getvalue()

    if isinstance(classifier, HeadForcingTypes):
        yield "shares", png(_shares, classifier, head_map, size=(11, 5))
    yield "distance", png(_distance, profile, head_map)
    yield "scores", png(_scores, profile, head_map)
    yield "layers", png(_layers, head_map)


def _by_type(head_map: HeadMap) -> dict[str, list[tuple[int, int]]]:
    """Return the heads (layer, head) of every type."""
    found: dict[str, list[tuple[int, int]]] = {kind: [] for kind in sorted(head_map.counts)}
    for layer, row in enumerate(head_map.types):
        for head, kind in enumerate(row):
            found[kind].append((layer, head))
    return found


def _of(values: Tensor, heads: Sequence[tuple[int, int]]) -> Tensor:
    layers, numbers = zip(*heads, strict=True)
    return values[list(layers), list(numbers)]


def _shares(figure, classifier: HeadForcingTypes, head_map: HeadMap) -> None:
    """Sink against current, and middle against current, with where the rule cuts."""
    known = {name: torch.tensor(v) for name, v in head_map.evidence.statistics.items()}
    left, right = figure.subplots(1, 2, sharey=True)
    for axis, across in ((left, "sink"), (right, "middle")):
        for kind, heads in _by_type(head_map).items():
            axis.scatter(
                _of(known[across], heads),
                _of(known["current"], heads),
                color=colour_of(kind),
                edgecolor="black",
                linewidth=0.4,
                label=f"{kind} ({len(heads)})",
            )
        axis.set(xlabel=f"share on the {across}", xlim=(0, None), ylim=(0, 1))
    left.set_ylabel("share on the current chunk")
    left.legend(fontsize="small")
    cuts = _cuts(classifier, known)
    if cuts:
        left.axvline(cuts[0], color="grey", linestyle="--", linewidth=0.8)
        left.axhline(cuts[1], color="grey", linestyle=":", linewidth=0.8)
    figure.suptitle("where heads look (dashed: least sink of an anchor; dotted: least current "
                    "of a local head)", fontsize="medium")  # fmt: skip


def _cuts(classifier: HeadForcingTypes, known: dict[str, Tensor]) -> tuple[float, float] | None:
    """Return the least sink share of an anchor and current share of a local head, by the rule."""
    if classifier.absolute:
        return classifier.tau_anchor, classifier.tau_local
    if classifier.per_layer:
        return None
    types = classifier.types(known)
    plain = _by_type(HeadMap(classifier.scheme, types))
    anchors, near = (plain.get(kind, []) for kind in ("hf.anchor", "hf.local"))
    if not anchors or not near:
        return None
    return float(_of(known["sink"], anchors).min()), float(_of(known["current"], near).min())


def _distance(figure, profile: HeadProfile, head_map: HeadMap) -> None:
    """Attention on a frame against how far back it is, per type."""
    longest = max(sample.past for sample in profile.samples)
    samples = [sample for sample in profile.samples if sample.past == longest]
    mass = torch.stack([sample.mass[..., : sample.past] for sample in samples]).mean(0)
    _curves(figure, mass, head_map, "share of attention on a frame", log=True)


def _scores(figure, profile: HeadProfile, head_map: HeadMap) -> None:
    """Scores before the softmax against how far back a frame is, per type."""
    statistics = [{"s": sample.scores[..., : sample.past]} for sample in profile.samples]
    _curves(figure, mean(statistics)["s"], head_map, "mean score of a frame", log=False)


def _curves(figure, values: Tensor, head_map: HeadMap, label: str, log: bool) -> None:
    axis, past = figure.subplots(), values.shape[-1]
    back = list(range(past, 0, -1))
    for kind, heads in _by_type(head_map).items():
        own = _of(values, heads)
        low, middle, high = own.quantile(torch.tensor([0.1, 0.5, 0.9]), 0)
        axis.plot(back, middle, color=colour_of(kind), label=f"{kind}: median")
        axis.fill_between(back, low, high, color=colour_of(kind), alpha=0.2, linewidth=0)
    axis.set(xlabel="frames before the current chunk", ylabel=label, title="bands: 10 to 90 %")
    if log:
        axis.set_yscale("log")
    axis.xaxis.get_major_locator().set_params(integer=True)
    axis.invert_xaxis()
    axis.legend(fontsize="small")


def _layers(figure, head_map: HeadMap) -> None:
    """Types stacked, layer by layer."""
    axis = figure.subplots()
    numbers, below = list(range(len(head_map.types))), [0] * len(head_map.types)
    for kind in _by_type(head_map):
        counts = [row.count(kind) for row in head_map.types]
        axis.bar(numbers, counts, bottom=below, color=colour_of(kind), label=kind)
        below = [b + c for b, c in zip(below, counts, strict=True)]
    axis.set(xlabel="layer", ylabel="heads", xticks=numbers[:: max(1, len(numbers) // 15)])
    axis.legend(fontsize="small", loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3)
