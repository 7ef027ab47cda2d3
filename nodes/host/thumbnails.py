"""Small pictures of chunks, as text that a page can show."""

from __future__ import annotations

import base64
import io

from PIL import Image
from torch import Tensor

# of a small picture, in pixels
WIDEST, TALLEST = 160, 160
QUALITY = 75


def thumbnail(picture: Tensor | Image.Image) -> str:
    """Return a JPEG in base64.

    Args:
        picture: a tensor is ``[H, W, 3]``, bytes.
    """
    image = picture if isinstance(picture, Image.Image) else Image.fromarray(picture.cpu().numpy())
    image = image.convert("RGB")
    image.thumbnail((WIDEST, TALLEST), Image.Resampling.BILINEAR)
    written = io.BytesIO()
    image.save(written, "JPEG", quality=QUALITY)
    return base64.b64encode(written.getvalue()).decode("ascii")
