"""A comparison as a table, a JSON file and a plot."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from torch import Tensor

from .comparison import Spread

# measure -> (heading, decimals); the order of the table's columns
STEADY = {
    "colour": ("colour", 2),
    "shape": ("shape", 2),
    "ground": ("ground", 2),
    "speed": ("speed", 2),
    "kept": ("kept", 2),
    "ground_drift": ("ground drift", 3),
    "shade_drift": ("shade drift", 3),
    "lightness": ("dL*", 1),
    "chroma": ("chroma x", 2),
    "sharpness": ("sharp x", 2),
    "motion": ("motion x", 2),
}
AWAY = {
    "obeyed": ("obeyed", 2),
    "delay": ("delay", 1),
    "thing_return": ("thing back", 3),
    "ground_return": ("ground back", 3),
}
COLUMNS = {**STEADY, **AWAY}
LEGEND = """\
colour, shape, ground, speed: shares of the last 24 frames that show what the prompt says
kept: of things that were hidden behind another, the share that came back the same
drift: last 24 frames against the first 21, of what no prompt tells (0 to 1); dL* in CIELAB;
  chroma, sharpness and motion as ratios
obeyed, delay: prompt changes that were obeyed, and after how many chunks
thing back, ground back: how far off the shade is of what was away and came back; "stranger" is
  what a shade drawn anew would score
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


def table(rows: Sequence[Row]) -> str:
    """Set rows under headings; columns no row has are left out."""
    names = [name for name in COLUMNS if any(name in row.scores for row in rows)]
    heads = ["method", *(COLUMNS[n][0] for n in names), "cache KiB", "time x"]
    lines = [heads] + [
        [
            row.name,
            *(_cell(row.scores.get(n), COLUMNS[n][1]) for n in names),
            "" if row.cache_bytes is None else f"{row.cache_bytes / 1024:.0f}",
            "" if row.time is None else f"{row.time:.2f}",
        ]
        for row in rows
    ]
    widths = [max(len(line[at]) for line in lines) for at in range(len(heads))]
    return "".join(_line(line, widths) for line in lines)


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
    figure = Figure(figsize=(5 * (len(curves) + 2), 4), layout="constrained")
    axes = figure.subplots(1, len(curves) + 2)
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
