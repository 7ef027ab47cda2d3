"""A profile as files: pictures, figures, and a page."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import asdict
from io import BytesIO
from pathlib import Path

from PIL import Image

from ..memory import ArenaPlan
from ..methods import HeadMap, settings_named
from ..video import Rope
from .head_map_pictures import draw_bars, draw_types
from .head_profile import HeadProfile
from .map_report import MapReport
from .profile_page import as_page
from .profile_plots import plots
from .profiling import Subject

log = logging.getLogger("headforcing")
PAGE, FIGURES = "report.html", "report.json"
MIB = 1024**2


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
    (out / PAGE).write_text(as_page(profile, reports, pictures), "utf-8")
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
