"""What a profile says: head maps, how sure they are, and pictures of them."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from io import BytesIO
from pathlib import Path

from PIL import Image

from .arena import ArenaPlan
from .classification import Aggregate, Classifier
from .head_map import HeadMap
from .head_map_pictures import draw_bars, draw_types
from .head_profile import HeadProfile
from .methods import settings_named
from .profile_page import as_page
from .profile_plots import plots
from .profiling import Subject
from .rope import Rope
from .stability import Comparison, Stability, compare, stability_of
from .voting import classify

log = logging.getLogger("headforcing")
PAGE, FIGURES = "report.html", "report.json"
MIB = 1024**2


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
    lines += [f"  {name}: {value}" for name, value in agreements(report.stability).items()]
    for name, compared in report.comparisons.items():
        same = compared.agreeing
        lines.append(f"  against {name}" + ("" if same is None else f": {same:.2f} alike"))
        for (mine, its), count in sorted(compared.counts.items()):
            lines.append(f"    {mine:18}{its:18}{count:4}")
    return "\n".join(lines) + "\n"


def agreements(stability: Stability) -> dict[str, str]:
    """Return what a report tells of stability, in words."""
    parts = (("prompts", stability.prompts), ("seeds", stability.seeds), ("steps", stability.steps))
    said = {
        f"heads typed alike by two {name}": "there is one only" if v is None else f"{v:.2f}"
        for name, v in parts
    }
    said["samples that say a head's type, on average"] = f"{stability.votes:.2f}"
    heads = ", ".join(f"layer {layer} head {head}" for layer, head in stability.doubted)
    said["heads in doubt"] = f"{len(stability.doubted)}" + (f" ({heads})" if heads else "")
    return said


def layer_bytes(head_map: HeadMap, subject: Subject) -> dict[str, dict[str, float]]:
    """Return the MiB of each type's caches in every layer, with the method's default budgets."""
    family, model = subject.family, subject.model
    method = settings_named(head_map.scheme).build(family.frames_per_chunk)
    rope = Rope(model.config.geometry.head_dim, model.config.grid(*subject.size))
    room = {
        kind: ArenaPlan(rule, family.frames_per_chunk, rope).bytes(model.dtype.itemsize) / MIB
        for kind, rule in method.rules.items()
    }
    return {
        str(layer): {kind: row.count(kind) * room[kind] for kind in room if kind in row}
        for layer, row in enumerate(head_map.types)
    }


def write_report(
    out: Path, subject: Subject, profile: HeadProfile, reports: Sequence[MapReport]
) -> Path:
    """Write pictures, figures, and one page that holds all of them; return the page's path."""
    pictures = {report.head_map.scheme: _pictures(subject, report) for report in reports}
    try:
        for report in reports:
            drawn = plots(profile, report.classifier, report.head_map)
            pictures[report.head_map.scheme] |= dict(drawn)
    except RuntimeError as error:
        log.warning("%s", error)
    for scheme, drawn in pictures.items():
        for name, png in drawn.items():
            (out / f"{scheme}_{name}.png").write_bytes(png)
    figures = {report.head_map.scheme: _figures(report) for report in reports}
    (out / FIGURES).write_text(json.dumps(figures, indent=1), "utf-8")
    sections = [
        (report.head_map, agreements(report.stability), report.stability.halves,
         report.comparisons, pictures[report.head_map.scheme])
        for report in reports
    ]  # fmt: skip
    (out / PAGE).write_text(as_page(profile, sections), "utf-8")
    return out / PAGE


def _pictures(subject: Subject, report: MapReport) -> dict[str, bytes]:
    taken = layer_bytes(report.head_map, subject)
    return {
        "types": _png(draw_types(report.head_map)),
        "bytes": _png(draw_bars("cache per layer, default budgets", taken, "MiB")),
    }


def _figures(report: MapReport) -> dict[str, object]:
    compared = {
        name: {
            "agreeing": c.agreeing,
            "counts": [{"here": a, "there": b, "heads": n} for (a, b), n in c.counts.items()],
        }
        for name, c in report.comparisons.items()
    }
    return {
        "counts": report.head_map.counts,
        "stability": asdict(report.stability),
        "against": compared,
    }


def _png(picture: Image.Image) -> bytes:
    buffer = BytesIO()
    picture.save(buffer, format="PNG")
    return buffer.getvalue()
