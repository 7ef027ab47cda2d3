"""Head maps as pictures: which head is of which type, with Pillow alone."""

from __future__ import annotations

from collections.abc import Mapping

from PIL import Image, ImageDraw

from ..methods import HeadMap, forcing_kv, head_forcing, online, pyramid

# Okabe and Ito's colours, which people with any kind of colour vision tell apart
BLUE, SKY, GREEN, ORANGE, PINK, GREY = (
    *("#0072B2", "#56B4E9", "#009E73", "#E69F00", "#CC79A7", "#999999"),
)
COLOURS = {
    head_forcing.LOCAL: SKY,
    head_forcing.ANCHOR: ORANGE,
    head_forcing.MEMORY: GREEN,
    head_forcing.RECALL: PINK,
    pyramid.WAVE: SKY,
    pyramid.ANCHOR: ORANGE,
    pyramid.VEIL: PINK,
    forcing_kv.STATIC: GREY,
    forcing_kv.DYNAMIC: BLUE,
    online.FIRST: ORANGE,
    online.LAST_CHUNK: GREEN,
    online.LAST: GREY,
}
CELL, MARGIN, LINE, SWATCH = 26, 44, 18, 13
INK, PAPER, FAINT = "#222222", "#FFFFFF", "#666666"


def colour_of(kind: str) -> str:
    """Return the colour of a head type, ``#RRGGBB``."""
    return COLOURS.get(kind, INK)


def kinds_of(head_map: HeadMap) -> list[str]:
    """Return the types of a scheme in their own order, then any others."""
    prefixes = {kind.split(".")[0] for kind in head_map.counts}
    known = [kind for kind in COLOURS if kind.split(".")[0] in prefixes]
    return [*known, *sorted(set(head_map.counts) - set(known))]


def letter_of(kind: str) -> str:
    """Return the letter that stands for a head type beside its colour."""
    return kind.rpartition(".")[2][:1].upper()


def draw_types(head_map: HeadMap) -> Image.Image:
    """Draw a row per layer and a cell per head, with how many there are of each type.

    A cell shows the first letter of its type, too; a frame around it says that the head is in
    doubt.
    """
    layers, heads = len(head_map.types), len(head_map.types[0])
    counts = {kind: head_map.counts.get(kind, 0) for kind in kinds_of(head_map)}
    width = max(2 * MARGIN + heads * CELL, 460)
    below = MARGIN + layers * CELL + LINE
    picture = Image.new("RGB", (width, below + (len(counts) + 3) * LINE), PAPER)
    pen = ImageDraw.Draw(picture)
    pen.text((MARGIN, 8), f"{head_map.scheme}: head types by layer (down) and head", fill=INK)
    doubted = set(head_map.evidence.doubted) if head_map.evidence else set()
    for layer, row in enumerate(head_map.types):
        top = MARGIN + layer * CELL
        pen.text((MARGIN - 8, top + CELL / 2), str(layer), fill=FAINT, anchor="rm")
        for head, kind in enumerate(row):
            left = MARGIN + head * CELL
            box = (left + 1, top + 1, left + CELL - 2, top + CELL - 2)
            pen.rectangle(box, fill=colour_of(kind))
            if (layer, head) in doubted:
                pen.rectangle(box, outline=INK, width=3)
            middle = (left + CELL / 2, top + CELL / 2)
            pen.text(middle, letter_of(kind), fill=INK, anchor="mm")
    for head in range(heads):
        place = (MARGIN + head * CELL + CELL / 2, MARGIN - 8)
        pen.text(place, str(head), fill=FAINT, anchor="mm")
    _legend(pen, below, counts, layers * heads)
    last = below + len(counts) * LINE
    if doubted:
        pen.text((MARGIN, last + 4), f"{len(doubted)} in doubt (framed)", fill=INK)
    if head_map.edits:
        pen.text((MARGIN, last + LINE + 4), f"{len(head_map.edits)} changed by hand", fill=INK)
    return picture


def draw_bars(title: str, rows: Mapping[str, Mapping[str, float]], unit: str) -> Image.Image:
    """Draw a stacked bar per row, such as bytes of each type in each layer.

    Args:
        rows: label -> type -> value.
    """
    longest = max(sum(row.values()) for row in rows.values()) or 1
    wide, kinds = 320, dict.fromkeys(kind for row in rows.values() for kind in row)
    below = MARGIN + len(rows) * LINE
    size = (2 * MARGIN + wide + 90, below + (len(kinds) + 2) * LINE)
    picture = Image.new("RGB", size, PAPER)
    pen = ImageDraw.Draw(picture)
    pen.text((MARGIN, 8), title, fill=INK)
    for number, (label, row) in enumerate(rows.items()):
        top, left = MARGIN + number * LINE, MARGIN
        pen.text((MARGIN - 8, top + LINE / 2), label, fill=FAINT, anchor="rm")
        for kind, value in row.items():
            right = left + wide * value / longest
            pen.rectangle((left, top + 2, right, top + LINE - 2), fill=colour_of(kind))
            left = right
        total = f"{sum(row.values()):.3g} {unit}"
        pen.text((left + 6, top + LINE / 2), total, fill=FAINT, anchor="lm")
    _legend(pen, below + LINE // 2, dict.fromkeys(kinds), 0)
    return picture


def _legend(
    pen: ImageDraw.ImageDraw, top: int, counts: Mapping[str, int | None], all_: int
) -> None:
    for number, (kind, count) in enumerate(counts.items()):
        y = top + number * LINE
        pen.rectangle((MARGIN, y + 3, MARGIN + SWATCH, y + 3 + SWATCH), fill=colour_of(kind))
        told = kind if count is None else f"{kind}  {count}  ({count / all_:.0%})"
        pen.text((MARGIN + 20, y + LINE / 2), told, fill=INK, anchor="lm")
