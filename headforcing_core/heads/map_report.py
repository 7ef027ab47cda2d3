"""One rule's head map of a profile, and what speaks for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..methods import HeadMap
from .classification import Aggregate, Classifier
from .head_profile import HeadProfile
from .returns import NEEDED
from .stability import Comparison, Stability, compare, stability_of
from .voting import classify


@dataclass(frozen=True)
class MapReport:
    """One rule's map of a profile, and what speaks for it.

    Args:
        comparisons: source of another map -> the two beside each other.
    """

    classifier: Classifier
    head_map: HeadMap
    stability: Stability
    comparisons: Mapping[str, Comparison]


def report_on(
    profile: HeadProfile,
    classifier: Classifier,
    aggregate: Aggregate | None,
    doubt: float,
    others: Sequence[HeadMap] = (),
) -> MapReport:
    """Type the heads of a profile, and say how sure that is.

    Args:
        others: head maps to lay beside it, of this paper or another.
    """
    head_map = classify(profile, classifier, aggregate, doubt)
    stability = stability_of(profile, classifier, head_map)
    comparisons = {f"{o.scheme}: {o.source}": compare(head_map, o) for o in others}
    return MapReport(classifier, head_map, stability, comparisons)


def as_text(report: MapReport) -> str:
    """Set a report as lines for a terminal."""
    head_map, total = report.head_map, sum(report.head_map.counts.values())
    lines = [f"\n{head_map.scheme}"]
    for kind, count in sorted(head_map.counts.items()):
        halves = report.stability.halves
        same = "" if halves is None else f"   two halves agree on {halves.get(kind, 1.0):.2f}"
        lines.append(f"  {kind:18}{count:4} heads, {count / total:4.0%}{same}")
    lines += [f"  {name}: {value}" for name, value in agreements(report).items()]
    for name, compared in report.comparisons.items():
        same = compared.agreeing
        lines.append(f"  against {name}" + ("" if same is None else f": {same:.2f} alike"))
        for (mine, its), count in sorted(compared.counts.items()):
            lines.append(f"    {mine:18}{its:18}{count:4}")
    return "\n".join(lines) + "\n"


def agreements(report: MapReport) -> dict[str, str]:
    """Return what a report tells of stability, in words."""
    stability, known = report.stability, report.head_map.evidence.parameters
    parts = (("prompts", stability.prompts), ("seeds", stability.seeds), ("steps", stability.steps))
    said = {
        f"heads typed alike by two {name}": "there is one only" if v is None else f"{v:.2f}"
        for name, v in parts
    }
    said["samples that say a head's type, on average"] = f"{stability.votes:.2f}"
    heads = ", ".join(f"layer {layer} head {head}" for layer, head in stability.doubted)
    said["heads in doubt"] = f"{len(stability.doubted)}" + (f" ({heads})" if heads else "")
    if report.classifier.recalls is not None:
        unknown = (
            f"none, so heads that recall are not told apart ({NEEDED} different prompts would)"
        )
        said["pasts after which something came back"] = str(known.get("returns", unknown))
    return said
