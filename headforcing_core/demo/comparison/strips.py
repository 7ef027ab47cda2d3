"""Methods under each other in one picture: the same prompt at the same moments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from PIL import Image, ImageDraw
from torch import Tensor

from .contact_sheet import CAPTION, GAP, as_image


def strips(
    rows: Mapping[str, Tensor], seconds: Sequence[float], title: str, zoom: int = 1
) -> Image.Image:
    """Draw a row of pictures per method.

    Args:
        rows: method -> ``[N, 3, Y, X]``, 0 to 1; all of one size.
        seconds: of the N pictures.
    """
    first = next(iter(rows.values()))
    side_y, side_x = (side * zoom + GAP for side in first.shape[2:])
    # settings under the name of their method
    labels = {name: name.replace(",", ",\n") for name in rows}
    measure = ImageDraw.Draw(Image.new("RGB", (1, 1)))
    left = 2 * GAP + int(max(measure.multiline_textbbox((0, 0), t)[2] for t in labels.values()))
    size = (left + len(seconds) * side_x, 2 * CAPTION + len(rows) * side_y)
    sheet = Image.new("RGB", size, "white")
    pen = ImageDraw.Draw(sheet)
    pen.text((GAP, 0), title, fill="black")
    for column, at in enumerate(seconds):
        pen.text((left + column * side_x, CAPTION), f"{at:.0f} s", fill="grey")
    for row, (name, pictures) in enumerate(rows.items()):
        top = 2 * CAPTION + row * side_y
        middle = top + (side_y - GAP) // 2
        pen.multiline_text((GAP, middle), labels[name], fill="black", anchor="lm")
        for column, picture in enumerate(pictures):
            sheet.paste(as_image(picture, zoom), (left + column * side_x, top))
    return sheet


def under_each_other(sheets: Sequence[Image.Image]) -> Image.Image:
    """Stack pictures of any width."""
    whole = Image.new("RGB", (max(s.width for s in sheets), sum(s.height for s in sheets)), "white")
    top = 0
    for sheet in sheets:
        whole.paste(sheet, (0, top))
        top += sheet.height
    return whole
