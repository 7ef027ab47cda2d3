"""A comparison as a table, a JSON file and a plot."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from torch import Tensor

from .trial_scores import Spread

# measure -> (heading, decimals), a table each
SHOWN = {
    "colour": ("colour", 2),
    "shape": ("shape", 2),
    "ground": ("ground", 2),
    "alone": ("alone", 2),
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
}
MEMORY = {
    "obeyed": ("obeyed", 2),
    "delay": ("delay", 1),
    "back": ("back", 2),
    "thing_return": ("thing back", 3),
    "ground_return": ("ground back", 4),
}
TABLES = {"shown at the end": SHOWN, "drift": DRIFT, "memory and cost": MEMORY}
LEGEND = """\
shown at the end: shares of the last 24 frames. colour, shape, ground, speed: what the prompt says;
  alone: nothing else. hidden: times a thing was hidden in the whole video; kept: share of those
  after which it was still the same
drift: the last 24 frames against the first 21, of what no prompt tells. ground: mean difference,
  0 to 1; shade: RGB distance of a thing's colour; dL*: CIELAB; the others are ratios
obeyed, delay: share of prompt changes that were obeyed, and after how many chunks
back: share of things that were away and came back when called
thing back, ground back: how far off the shade is of what was away and came back; "stranger" is
  what a shade drawn anew would score
cache: of one video. time: of a late chunk, relative to the first method
+-: standard deviation over seeds
"""


@dataclass(frozen=True)
class Row:
    """One method at one length.

    Args:
        cache_bytes: of one video; None where there is no cache.
        time: of a late chunk, as a multiple of the first method's; None where nothing is timed.
    """

    name: str
    scores: Mapping[str, Spread]
    cache_bytes: int | None = None
    time: float | None = None


def tables(rows: Sequence[Row]) -> str:
    """Set rows under headings; what no row has is left out."""
    return "\n".join(_table(title, columns, rows) for title, columns in TABLES.items())


def _table(title: str, columns: Mapping[str, tuple[str, int]], rows: Sequence[Row]) -> str:
    names = [name for name in columns if any(name in row.scores for row in rows)]
    cost = columns is MEMORY
    rows = [row for row in rows if cost or any(name in row.scores for name in names)]
    lines = [[title, *(columns[n][0] for n in names), *(["cache KiB", "time x"] if cost else [])]]
    for row in rows:
        cells = [_cell(row.scores.get(n), columns[n][1]) for n in names]
        lines.append([row.name, *cells, *(_cost(row) if cost else [])])
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
            "time_ratio": row.time,
            **{
                name: {k: None if math.isnan(v) else round(v, 5) for k, v in asdict(score).items()}
                for name, score in row.scores.items()
            },
        }
        for row in rows
    }


def plot(
    path: Path,
    curves: Mapping[str, Mapping[str, Sequence[tuple[float, Spread]]]],
    returns: Mapping[str, Spread],
    shares: Tensor,
) -> None:
    """Draw drift over time, what comes back, and where heads look.

    Args:
        curves: per measure, per method: (seconds, value).
        returns: per method, how far off the ground is that was away and came back.
        shares: ``[L, H, 3]`` of ``HeadShares``.

    Raises:
        RuntimeError: if matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise RuntimeError(
            'a plot needs matplotlib, which is not installed: pip install -e ".[plots]"'
        ) from error
    figure = Figure(figsize=(11, 8), layout="constrained")
    axes = figure.subplots(2, 2).flatten()
    for axis, (measure, lines) in zip(axes, curves.items(), strict=False):
        for name, points in lines.items():
            seconds = [at for at, _ in points]
            mean = [score.mean for _, score in points]
            band = [0 if math.isnan(score.seeds) else score.seeds for _, score in points]
            (drawn,) = axis.plot(seconds, mean, label=name)
            low, high = ([m + s * b for m, b in zip(mean, band, strict=True)] for s in (-1, 1))
            axis.fill_between(seconds, low, high, alpha=0.2, color=drawn.get_color())
        axis.set(title=measure, xlabel="seconds", ylim=(0, None))
        axis.legend(fontsize="small")
    errors = [0 if math.isnan(score.seeds) else score.seeds for score in returns.values()]
    axes[-2].barh(list(returns), [score.mean for score in returns.values()], xerr=errors)
    axes[-2].set(title="ground that was away and came back", xlabel="off by (0 to 1)")
    axes[-2].invert_yaxis()
    for layer, heads in enumerate(shares):
        axes[-1].scatter(heads[:, 0], heads[:, 2], label=f"layer {layer}")
    axes[-1].set(
        title="heads", xlabel="attention on the first chunk", ylabel="on the current chunk"
    )
    axes[-1].legend(fontsize="small")
    figure.savefig(path, dpi=110)
