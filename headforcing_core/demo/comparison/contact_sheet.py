"""One picture of a whole video."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from PIL import Image, ImageDraw
from torch import Tensor

COLUMNS = 10
CAPTION = 14
GAP = 2


def contact_sheet(
    pictures: Tensor, seconds: Sequence[float], prompts: Sequence[str], zoom: int = 2
) -> Image.Image:
    """Lay out pictures in rows, with the time of each and a line where the prompt changes.

    Args:
        pictures: ``[N, 3, Y, X]``, 0 to 1.
        seconds, prompts: of every picture.
    """
    side_y, side_x = pictures.shape[2] * zoom + GAP, pictures.shape[3] * zoom + GAP
    rows: list[list[int]] = []
    for at, prompt in enumerate(prompts):
        if not rows or len(rows[-1]) == COLUMNS or prompt != prompts[at - 1]:
            rows.append([])
        rows[-1].append(at)
    heads = [row[0] == 0 or prompts[row[0]] != prompts[row[0] - 1] for row in rows]
    height = len(rows) * (side_y + CAPTION) + sum(heads) * CAPTION
    sheet = Image.new("RGB", (COLUMNS * side_x, height), "white")
    pen = ImageDraw.Draw(sheet)
    top = 0
    for row, head in zip(rows, heads, strict=True):
        if head:
            pen.text((GAP, top), f"{seconds[row[0]]:.1f} s: {prompts[row[0]]}", fill="black")
            top += CAPTION
        for column, at in enumerate(row):
            sheet.paste(as_image(pictures[at], zoom), (column * side_x, top))
            pen.text((column * side_x + GAP, top + side_y - GAP), f"{seconds[at]:.1f}", fill="grey")
        top += side_y + CAPTION
    return sheet


def as_image(picture: Tensor, zoom: int) -> Image.Image:
    """Turn ``[3, Y, X]``, 0 to 1, into an image, enlarged pixel by pixel."""
    pixels = (picture.clamp(0, 1) * 255).round().to(torch.uint8).permute(1, 2, 0)
    image = Image.fromarray(pixels.numpy())
    return image.resize((image.width * zoom, image.height * zoom), Image.Resampling.NEAREST)
