"""Video files measured, piece by piece."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import BinaryIO

from ..files import open_video
from .bands import BANDS
from .measures import Measures
from .report import Measured, report_of
from .telemetry import Telemetry

# seconds of a piece, where nobody says which chunks a video was made of
PIECE = 0.75


def measure_file(
    source: str | BinaryIO,
    name: str,
    cuts: Sequence[float] = (),
    window: tuple[float, float] = (0.0, 0.0),
    progress: Callable[[int, int], None] = lambda done, expected: None,
) -> Measured:
    """Measure a video file without loading it whole.

    Args:
        source: a path, or what holds a file.
        name: what it is called.
        cuts: seconds at which a new scene is meant to begin.
        window: second it begins at, and how many are measured; 0: all.
        progress: is told after every piece how many pictures are measured, and how many the file
            says there are, 0 if it does not; what it raises ends the work.

    Raises:
        ValueError: if it is no video of two pictures at least.
    """
    with open_video(source, name) as video:
        telemetry, chunks, done = Telemetry(video.fps, joins_known=False), [], 0
        starts = sorted({round(second * video.fps) for second in cuts if second > 0})
        for pictures in video.pictures(max(2, round(PIECE * video.fps)), *window):
            begins = [start - done for start in starts if 0 <= start - done < len(pictures)]
            marks = [0, *(at for at in begins if at), len(pictures)]
            for begin, end in pairwise(marks):
                chunks.append(telemetry.add(pictures[begin:end], cut=begin in begins))
            done += len(pictures)
            progress(done, video.expected)
        return report_of(name, video.fps, _without_leaps(chunks), BANDS)


def _without_leaps(chunks: Sequence[Measures]) -> list[Measures]:
    """Take back seams that were the leaps of loops: near the end of a piece nobody can tell yet."""
    known = list(chunks)
    for at, chunk in enumerate(known[1:]):
        if "loop" in chunk.left and "seam" in known[at].left:
            known[at] = _without_seam(known[at])
            known[at + 1] = _without_seam(chunk)
    return known


def _without_seam(chunk: Measures) -> Measures:
    names = {
        part: tuple(name for name in getattr(chunk, part) if name != "seam")
        for part in ("out", "left", "back")
    }
    values, against = ({**each, "seam": None} for each in (chunk.values, chunk.against))
    return replace(chunk, values=values, against=against, **names)
