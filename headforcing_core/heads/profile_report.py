"""A profile as files: pictures, figures, and a page."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Sequence
from dataclasses import asdict

from ..files import png_of
from ..memory import ArenaPlan
from ..methods import HeadMap, settings_named
from ..video import Rope
from .head_map_pictures import draw_bars, draw_types
from .head_profile import HeadProfile
from .map_report import MapReport
from .profile_page import CAPTIONS, as_page
from .profile_plots import plots
from .subject import Subject

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


def report_names(schemes: Iterable[str]) -> list[str]:
    """Return the names of all files that a report on these rules may have."""
    return [FIGURES, PAGE, *(f"{scheme}_{name}.png" for scheme in schemes for name in CAPTIONS)]


def report_files(
    subject: Subject, profile: HeadProfile, reports: Sequence[MapReport]
) -> dict[str, bytes]:
    """Return pictures, figures, and one page that holds all of them, by the names of files."""
    pictures = {report.head_map.scheme: _pictures(subject, report) for report in reports}
    try:
        for report in reports:
            drawn = plots(profile, report.classifier, report.head_map)
            pictures[report.head_map.scheme] |= dict(drawn)
    except RuntimeError as error:
        log.warning("%s", error)
    files = {
        f"{scheme}_{name}.png": png
        for scheme, drawn in pictures.items()
        for name, png in drawn.items()
    }
    figures = {report.head_map.scheme: _figures(report) for report in reports}
    files[FIGURES] = json.dumps(figures, indent=1).encode()
    files[PAGE] = as_page(profile, reports, pictures).encode()
    return files


def _pictures(subject: Subject, report: MapReport) -> dict[str, bytes]:
    taken = layer_bytes(report.head_map, subject)
    return {
        "types": png_of(draw_types(report.head_map)),
        "bytes": png_of(draw_bars("cache per layer, default budgets", taken, "MiB")),
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
