"""A comparison as tables, plain values, a plot and pictures."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from io import BytesIO

from PIL import Image
from torch import Tensor

from ..scores import Spread
from ..world import VIDEO
from .comparison import Comparison
from .pieces import AWAY, STEADY, STEP, moments
from .short_names import full_names, short_names
from .strips import strips

# measure -> (heading, decimals), a table each
SHOWN = {
    "found": ("found", 2),
    "colour": ("colour", 2),
    "shape": ("shape", 2),
    "ground": ("ground", 2),
    "alone": ("alone", 2),
    "smooth": ("smooth", 2),
    "speed": ("speed", 2),
    "hidden": ("hidden", 1),
    "kept": ("kept", 2),
}
DRIFT = {
    "ground_drift": ("ground", 4),
    "shade_drift": ("shade", 3),
    "lightness": ("dL*", 1),
    "contrast": ("contrast x", 2),
    "chroma": ("chroma x", 2),
    "sharpness": ("sharp x", 2),
    "motion": ("motion x", 2),
    "flicker": ("dflicker", 2),
    "seams": ("seams x", 2),
}
MEMORY = {
    "obeyed": ("obeyed", 2),
    "delay": ("delay", 1),
    "ground_error": ("ground", 4),
    "ground_slope": ("r", 2),
    "ground_stranger": ("stranger", 4),
    "ground_late": ("after 46 s", 4),
    "thing_error": ("thing", 3),
    "thing_slope": ("r", 2),
    "thing_stranger": ("stranger", 3),
    "thing_lost": ("lost", 2),
}
TABLES = {"shown at the end": SHOWN, "drift": DRIFT, "memory and cost": MEMORY}
LEGEND = """\
shown at the end: shares of the last 24 frames (6 s). found, colour, shape, ground, speed: what
  the prompt says; alone: nothing else; smooth: no jumps. hidden: times per video that a thing
  could not be seen; kept: share of those after which it was still the same
drift: the last 24 frames against the first 12, of what no prompt tells. ground: mean difference,
  0 to 1; shade: RGB distance of a thing's colour; dL*, dflicker: CIELAB, differences; x: ratios;
  seams: change where chunks join over change within them
obeyed, delay: share of prompt changes that were obeyed, and after how many chunks (never: all)
ground, thing: how far off the shade is of what comes back, mean RGB difference over all returns; r:
  slope of what came back on what was there, 1 for recall, 0 for a guess; stranger: the error of a
  shade that is made anew; a small error with a small stranger is no memory. after 46 s: of grounds
  that were away for so long; lost: share of things that did not come back, they count as strangers
cache: of one video. time: of a chunk in the second half of a video made alone, relative to the
  first method
+-: standard deviation over seeds
"""


@dataclass(frozen=True)
class Row:
    """One line of the tables.

    Args:
        cache_bytes: of one video; None where there is no cache.
        seconds: of a late chunk of one video made alone; None where nothing is timed.
        time: the same as a multiple of the first method's.
    """

    name: str
    scores: Mapping[str, Spread]
    cache_bytes: int | None = None
    seconds: float | None = None
    time: float | None = None


def rows_of(comparison: Comparison, frames: int) -> list[Row]:
    """Return the rows of one length: the truth, its round trip, the methods."""
    methods = {method.name: method for method in comparison.methods}
    against = comparison.chunk_seconds(comparison.methods[0], frames)
    rows = []
    for name, scores in comparison.averages(frames).items():
        if name not in methods:
            rows.append(Row(name, scores))
            continue
        seconds = comparison.chunk_seconds(methods[name], frames)
        cache_bytes = comparison.cache_bytes(methods[name], frames)
        time = seconds / against if seconds and against else None
        rows.append(Row(name, scores, cache_bytes, seconds, time))
    return rows


def tables(rows: Sequence[Row]) -> str:
    """Set rows under headings; what no row has is left out."""
    said = [_table(title, columns, rows) for title, columns in TABLES.items()]
    return "\n".join([*said, full_names(row.name for row in rows)])


def _table(title: str, columns: Mapping[str, tuple[str, int]], rows: Sequence[Row]) -> str:
    names = [name for name in columns if any(name in row.scores for row in rows)]
    cost = columns is MEMORY
    rows = [r for r in rows if (cost and r.cache_bytes) or any(n in r.scores for n in names)]
    shown = short_names(row.name for row in rows)
    lines = [[title, *(columns[n][0] for n in names), *(["cache KiB", "time x"] if cost else [])]]
    for row in rows:
        cells = [_cell(row.scores.get(n), columns[n][1]) for n in names]
        lines.append([shown[row.name], *cells, *(_cost(row) if cost else [])])
    widths = [max(len(line[at]) for line in lines) for at in range(len(lines[0]))]
    return "".join(_line(line, widths) for line in lines)


def _cost(row: Row) -> list[str]:
    return [
        "-" if row.cache_bytes is None else f"{row.cache_bytes / 1024:.0f}",
        "-" if row.time is None else f"{row.time:.2f}",
    ]


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    first, *rest = (cell.rjust(width) for cell, width in zip(cells, widths, strict=True))
    return "  ".join([first.lstrip().ljust(widths[0]), *rest]) + "\n"


def _cell(score: Spread | None, decimals: int) -> str:
    if score is None or math.isnan(score.mean):
        return "-"
    text = f"{score.mean:.{decimals}f}"
    return text if math.isnan(score.seeds) else f"{text} +-{score.seeds:.{decimals}f}"


def as_json(rows: Sequence[Row]) -> dict[str, object]:
    """Return rows as plain values; what was not measured is null."""
    return {
        row.name: {
            "cache_bytes": row.cache_bytes,
            "seconds_per_chunk": row.seconds and round(row.seconds, 5),
            "time_ratio": row.time and round(row.time, 4),
            **{
                name: {k: None if math.isnan(v) else round(v, 5) for k, v in asdict(score).items()}
                for name, score in row.scores.items()
            },
        }
        for row in rows
    }


def pictures_of(comparison: Comparison) -> list[Image.Image]:
    """Draw what the first prompt became, a strip per method; one picture per kind of story."""
    trial, count = comparison.trials[0], len(comparison.scores)
    titles = {
        STEADY: trial.scene.text,
        AWAY: f"{trial.scene.text}; its ground and {', '.join(trial.tints[1:])} take turns, "
        "the first thing comes and goes with its own",
    }
    sheets = []
    for kind, title in titles.items():
        shown = short_names(comparison.scores)
        rows = {shown[n]: s.shown[kind] for n, s in comparison.scores.items() if kind in s.shown}
        if len(rows) == count:
            seconds = [VIDEO.moment(at) for at in moments(kind, comparison.frames)]
            sheets.append(strips(rows, seconds, title))
    return sheets


def plot(comparison: Comparison, rows: Sequence[Row], shares: Tensor) -> bytes:
    """Draw drift over time, what comes back, and where heads look.

    Args:
        rows: of the longest videos.
        shares: ``[L, H, 3]``: each head's attention on sink, middle and current chunk.

    Returns:
        A PNG.

    Raises:
        RuntimeError: if matplotlib is not installed.
    """
    try:
        from matplotlib import colormaps
        from matplotlib.figure import Figure
    except ImportError as error:
        raise RuntimeError(
            'a plot needs matplotlib, which is not installed: pip install -e ".[plots]"'
        ) from error
    figure = Figure(figsize=(12, 9), layout="constrained")
    drifts, shades, back, heads = figure.subplots(2, 2).flatten()
    for axis, (measure, lines) in zip((drifts, shades), comparison.curves().items(), strict=True):
        palette = "tab10" if len(lines) <= 10 else "tab20"
        axis.set_prop_cycle(color=colormaps[palette].colors)
        shown = short_names(lines)
        for name, points in lines.items():
            seconds = [VIDEO.moment(STEP * (at + 1)) for at in range(len(points))]
            mean = [point.mean for point in points]
            band = [0 if math.isnan(point.seeds) else point.seeds for point in points]
            (drawn,) = axis.plot(seconds, mean, label=shown[name])
            low, high = ([m + s * b for m, b in zip(mean, band, strict=True)] for s in (-1, 1))
            axis.fill_between(seconds, low, high, alpha=0.2, color=drawn.get_color())
        axis.set(title=measure, xlabel="seconds", ylim=(0, None))
    names = drifts.get_legend_handles_labels()
    figure.legend(*names, loc="outside upper center", ncols=4, fontsize="small")
    _draw_returns(back, [row for row in rows if "ground_error" in row.scores])
    for layer, of_layer in enumerate(shares):
        heads.scatter(of_layer[:, 0], of_layer[:, 2], label=f"layer {layer}")
    heads.set(
        title="where heads look", xlabel="share on the oldest frame", ylabel="on the current chunk"
    )
    heads.legend(fontsize="small")
    drawn = BytesIO()
    figure.savefig(drawn, dpi=110, format="png")
    return drawn.getvalue()


def _draw_returns(axis: object, rows: Sequence[Row]) -> None:
    """Draw how far off grounds are that come back, and what a stranger would be."""
    numbers = list(range(len(rows)))
    errors, strangers = (
        [row.scores[f"ground_{name}"] for row in rows] for name in ("error", "stranger")
    )
    spread = [0 if math.isnan(score.seeds) else score.seeds for score in errors]
    axis.barh(numbers, [score.mean for score in errors], xerr=spread, label="what came back")
    means = [score.mean for score in strangers]
    axis.plot(means, numbers, "k|", markersize=10, label="a stranger")
    axis.set(title="grounds that were away and came back", xlabel="off by (0 to 1)")
    axis.set_yticks(numbers, list(short_names(row.name for row in rows).values()), fontsize="small")
    axis.invert_yaxis()
    axis.legend(fontsize="small")
