"""What a video measured from beginning to end: as JSON, and as a table."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from .bands import BANDS, Band, left
from .measures import Measures
from .scene import FIRST_SECONDS

FORMAT = "headforcing_drift"


@dataclass(frozen=True)
class Measured:
    """A video that was measured.

    Args:
        name: what it is called.
        fps: pictures per second, or latent frames.
        chunks: what its chunks measured, in order.
        bands: of the measures.
    """

    name: str
    fps: float
    chunks: tuple[Measures, ...]
    bands: Mapping[str, Band]

    @property
    def seconds(self) -> float:
        """How long it is."""
        return (self.chunks[-1].first + self.chunks[-1].count) / self.fps

    def ended(self, chunk: Measures) -> float:
        """Return the second in which a chunk ends."""
        return (chunk.first + chunk.count) / self.fps

    def worst(self, name: str) -> float | None:
        """Return the value of a measure that is farthest from the first seconds."""
        values = [c.against[name] for c in self.chunks if c.against[name] is not None]
        rest = 1.0 if self.bands[name].form == "ratio" else 0.0
        if self.bands[name].form == "ratio":
            return max(values, key=lambda x: max(x, 1 / max(x, 1e-9)), default=None)
        return max(values, key=lambda x: abs(x - rest), default=None)

    def went(self, name: str) -> float | None:
        """Return the second from which on a measure was out of its band; None if it never was."""
        return next((c.first / self.fps for c in self.chunks if name in c.left), None)


def report_of(
    name: str, fps: float, chunks: Sequence[Measures], bands: Mapping[str, Band] = BANDS
) -> Measured:
    """Return a video that was measured.

    Raises:
        ValueError: if nothing was.
    """
    if not chunks:
        raise ValueError(f"{name} must have at least one chunk that was measured, got none")
    return Measured(name, fps, tuple(chunks), bands)


def as_json(videos: Sequence[Measured]) -> str:
    """Return reports as JSON.

    ``measures``: form, unit and band of each. ``videos``: for each its ``chunks``, with ``values``
    as measured and ``against`` as the bands have them, and ``told``, when what left its band.
    """
    bands = videos[0].bands if videos else BANDS
    return json.dumps(
        {
            FORMAT: 1,
            "first_seconds": FIRST_SECONDS,
            "measures": {name: asdict(band) for name, band in bands.items()},
            "videos": [_plain(video) for video in videos],
        },
        indent=1,
    )


def as_table(videos: Sequence[Measured]) -> str:
    """Return a row per measure and a column per video: the farthest, and when it left its band."""
    rows = [["measure, against the first seconds", "band", *(video.name for video in videos)]]
    bands = videos[0].bands
    for name, band in bands.items():
        cells = [_cell(video, name) for video in videos]
        rows.append([f"{name} {_sign(band)}".strip(), _span(band), *cells])
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
    lines = (
        " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )
    return "\n".join(lines)


def _plain(video: Measured) -> dict[str, object]:
    return {
        "name": video.name,
        "fps": video.fps,
        "seconds": video.seconds,
        "left": {name: video.went(name) for name in video.bands if video.went(name) is not None},
        "chunks": [
            {
                "from": chunk.first / video.fps,
                "to": video.ended(chunk),
                "cut": chunk.cut,
                "values": chunk.values,
                "against": chunk.against,
                "out": chunk.out,
                "told": left(chunk, video.bands),
            }
            for chunk in video.chunks
        ],
    }


def _cell(video: Measured, name: str) -> str:
    worst, went = video.worst(name), video.went(name)
    if worst is None:
        return "-"
    said = f"{worst:+.2f}" if video.bands[name].form == "difference" else f"{worst:.2f}"
    return said if went is None else f"{said} out from {went:.1f} s"


def _sign(band: Band) -> str:
    return {"ratio": "x", "difference": "+"}.get(band.form, "")


def _span(band: Band) -> str:
    low, high = ("" if end is None else f"{end:g}" for end in (band.low, band.high))
    return f"{low} to {high}".strip()
