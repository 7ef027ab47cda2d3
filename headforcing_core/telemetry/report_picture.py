"""Reports as a picture: a row per measure over time, its band shaded; with Pillow alone."""

from __future__ import annotations

from collections.abc import Sequence
from math import log

from PIL import Image, ImageDraw, ImageFont

from .bands import Band
from .report import Measured
from .scene import FIRST_SECONDS

# Okabe and Ito's colours, which people with any kind of colour vision tell apart
LINES = ("#0072B2", "#D55E00", "#009E73", "#CC79A7")
MOST_DRAWN = len(LINES)
INK, PAPER, FAINT, SHADE, GRID = "#222222", "#FFFFFF", "#666666", "#E3EFD9", "#D8D8D8"
# pixels: of a plot, of what stands left and right of it, between rows
WIDE, HIGH, LEFT, RIGHT, GAP = 640, 64, 118, 100, 16
LINE, TITLE, SIZE = 18, 10, 13
# times the upper end of a band that are shown
MOST_SHOWN = 5
# times as large while it is drawn, so that lines are smooth
FINER = 2
# marks on the time axis, in seconds
TICKS = (1, 2, 5, 10, 20, 60, 120, 300, 600, 1800, 3600, 7200, 21_600)
MOST_TICKS = 14


def draw_reports(videos: Sequence[Measured]) -> Image.Image:
    """Draw up to ``MOST_DRAWN`` videos over each other.

    A dot says where a measure is out of its band; a dashed line, where a scene begins.
    """
    bands = videos[0].bands
    head = TITLE + LINE * (len(videos) + 1)
    size = (LEFT + WIDE + RIGHT, head + len(bands) * (HIGH + GAP) + 2 * LINE + TITLE)
    picture = Image.new("RGB", tuple(FINER * side for side in size), PAPER)
    pen = _Pen(picture)
    pen.text((LEFT, TITLE), f"against the first {FIRST_SECONDS:g} s; shaded: the band", INK)
    for number, video in enumerate(videos):
        y = TITLE + LINE * (number + 1)
        pen.box((LEFT, y + 5, LEFT + 18, y + 9), LINES[number % len(LINES)])
        pen.text((LEFT + 26, y), _legend(video), INK)
    longest = max(video.seconds for video in videos)
    for row, (name, band) in enumerate(bands.items()):
        _row(pen, head + GAP + row * (HIGH + GAP), name, band, videos, longest)
    bottom = head + len(bands) * (HIGH + GAP)
    step = next((t for t in TICKS if longest / t <= MOST_TICKS), TICKS[-1])
    for at in range(int(longest // step) + 1):
        x = LEFT + WIDE * at * step / longest
        pen.text((x, bottom + 6), f"{at * step:g}", FAINT, "ma")
    pen.text((LEFT + WIDE + 10, bottom + 6), "seconds", FAINT)
    return picture.resize(size, Image.Resampling.LANCZOS)


class _Pen:
    """Draws in pixels of the finished picture."""

    def __init__(self, picture: Image.Image):
        self._draw = ImageDraw.Draw(picture)
        self._font = ImageFont.load_default(SIZE * FINER)

    def text(self, at: tuple[float, float], text: str, fill: str, anchor: str = "la") -> None:
        at = tuple(FINER * x for x in at)
        self._draw.text(at, text, fill=fill, anchor=anchor, font=self._font)

    def box(self, box: tuple[float, ...], fill: str) -> None:
        self._draw.rectangle(tuple(FINER * x for x in box), fill=fill)

    def line(self, points: Sequence[tuple[float, float]], fill: str, width: int = 2) -> None:
        flat = [(FINER * x, FINER * y) for x, y in points]
        self._draw.line(flat, fill=fill, width=width * FINER, joint="curve")

    def dot(self, at: tuple[float, float], fill: str, radius: float = 3) -> None:
        x, y = (FINER * each for each in at)
        r = FINER * radius
        self._draw.ellipse((x - r, y - r, x + r, y + r), fill=fill)


def _row(
    pen: _Pen, top: int, name: str, band: Band, videos: Sequence[Measured], longest: float
) -> None:
    values = [x for v in videos for c in v.chunks if (x := c.against[name]) is not None]
    low, high = _range(band, values)

    def place(second: float, value: float) -> tuple[float, float]:
        share = (_scaled(band, value) - low) / (high - low)
        return LEFT + WIDE * second / longest, top + HIGH * (1 - min(max(share, 0), 1))

    edges = [low if band.low is None else _scaled(band, band.low), _scaled(band, band.high)]
    upper, lower = (top + HIGH * (1 - (edge - low) / (high - low)) for edge in reversed(edges))
    pen.box((LEFT, upper, LEFT + WIDE, lower), SHADE)
    for y in (top, top + HIGH):
        pen.line([(LEFT, y), (LEFT + WIDE, y)], GRID, 1)
    pen.text((LEFT - 10, top + HIGH / 2), _title(name, band), INK, "rm")
    for edge in (band.low, band.high):
        if edge is not None:
            said = f"{edge:+g}" if band.form == "difference" else f"{edge:g}"
            pen.text((LEFT + WIDE + 8, place(0, edge)[1]), said, FAINT, "lm")
    for number, video in enumerate(videos):
        _curve(pen, video, name, LINES[number % len(LINES)], place)
    for video in videos:
        for chunk in video.chunks[1:]:
            if chunk.cut:
                _dashes(pen, LEFT + WIDE * chunk.first / video.fps / longest, top)


def _curve(pen: _Pen, video: Measured, name: str, colour: str, place) -> None:
    run: list[tuple[float, float]] = []
    for chunk in video.chunks:
        value = chunk.against[name]
        if chunk.cut or value is None:
            _stroke(pen, run, colour)
            run = []
        if value is not None:
            at = place((chunk.first + chunk.count / 2) / video.fps, value)
            run.append(at)
            if name in chunk.out:
                pen.dot(at, colour)
    _stroke(pen, run, colour)


def _stroke(pen: _Pen, run: Sequence[tuple[float, float]], colour: str) -> None:
    if len(run) > 1:
        pen.line(run, colour)
    elif run:
        pen.dot(run[0], colour, 1.5)


def _dashes(pen: _Pen, x: float, top: int) -> None:
    for y in range(top, top + HIGH, 8):
        pen.line([(x, y), (x, y + 4)], FAINT, 1)


def _range(band: Band, values: Sequence[float]) -> tuple[float, float]:
    """Return what a row shows: the band, all values, and some room."""
    ends = [end for end in (band.low, band.high) if end is not None]
    ends += [0.0] if band.low is None else []
    shown = [_scaled(band, x) for x in (*ends, *values)]
    low, high = min(shown), max(shown)
    if band.low is None:  # what is far out says so at the upper edge
        high = min(high, MOST_SHOWN * band.high)
    room = 0.08 * (high - low)
    return (low - room if band.low is not None or low < 0 else low), high + room


def _scaled(band: Band, value: float) -> float:
    """Return a value as it is drawn: half and twice are as far from one."""
    return log(min(max(value, 0.02), 50.0)) if band.form == "ratio" else min(value, 1e6)


def _title(name: str, band: Band) -> str:
    return {"ratio": f"{name} x", "difference": f"{name} +"}.get(band.form, name)


def _legend(video: Measured) -> str:
    went = [name for name in video.bands if video.went(name) is not None]
    return f"{video.name[:60]}: {'left ' + ', '.join(went) if went else 'nothing left its band'}"
