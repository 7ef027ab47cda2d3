"""How far each measure may go from the first seconds of a video."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from .measures import Measures


@dataclass(frozen=True)
class Band:
    """The values of a measure that nobody is told of.

    Args:
        low, high: of what is compared; None where there is no such end.
        form: how a value is said: ``ratio`` to the first seconds, ``difference`` from them, or
            ``plain``.
        unit: of the value as it is measured.
        says: what it is.
        least: of a ratio, what is added to both: so little of it is none.
    """

    low: float | None
    high: float | None
    form: str
    unit: str
    says: str
    least: float = 1e-3

    def holds(self, value: float | None, slack: float = 0.0) -> bool:
        """Whether a value is in the band; with slack, further in it by that share of its width."""
        if value is None:
            return True
        ends = [end for end in (self.low, self.high) if end is not None]
        rest = 1.0 if self.form == "ratio" else 0.0
        low, high = (
            None if end is None else end + slack * (rest - end) for end in (self.low, self.high)
        )
        return bool(ends) and (low is None or value >= low) and (high is None or value <= high)


BANDS: Mapping[str, Band] = {
    "lightness": Band(-8.0, 8.0, "difference", "of 100", "mean grey"),
    "contrast": Band(0.72, 1.38, "ratio", "of 100", "deviation of grey, for its lightness", 0.5),
    "chroma": Band(0.72, 1.38, "ratio", "1", "distance from grey, over contrast", 0.05),
    "sharpness": Band(0.72, 1.38, "ratio", "1", "fine structure, over coarser"),
    "motion": Band(0.25, 4.0, "ratio", "sides per second", "how far things move"),
    "seam": Band(None, 3.0, "plain", "1", "change across the join, over change within chunks"),
    "freeze": Band(None, 0.4, "difference", "share", "neighbouring pictures that hardly differ"),
    "flicker": Band(None, 0.7, "difference", "of 100", "lightness going back and forth"),
    "loop": Band(None, 5.0, "plain", "1", "nearness to an earlier stretch"),
}
# a measure is back when it is inside its band by that share of it
SLACK = 0.1


def left(measures: Measures, bands: Mapping[str, Band] = BANDS) -> tuple[str, ...]:
    """Say what has left its band with this chunk, or is back in it: a sentence each."""
    gone = [f"{name} {_said(bands[name], measures.against[name])}" for name in measures.left]
    return (*gone, *(f"{name} is back in its band" for name in measures.back))


def _said(band: Band, value: float) -> str:
    said = f"{value:+.3g}" if band.form == "difference" else f"{value:.3g}"
    ends = [f"{end:+g}" if band.form == "difference" else f"{end:g}"
            for end in (band.low, band.high) if end is not None]  # fmt: skip
    span = " to ".join(ends) if len(ends) == 2 else f"up to {ends[0]}"
    than = {"ratio": " x the first seconds", "difference": " against the first seconds"}
    unit = "" if band.unit == "1" or band.form == "ratio" else f" {band.unit}"
    return f"{said}{unit}{than.get(band.form, '')} (band {span})"
