"""The latent of one picture of a video that is being made."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from torch import Tensor

from .decoder import Decoder, Decoding


class PictureRecoder:
    """Decodes what is made, and encodes one of its pictures by itself. It dies with its video.

    Nothing is decoded before a picture is asked for, so a video that is gone on with is not decoded
    from its beginning.

    Args:
        decoder: of the latents.
        taken: gives what it takes for a latent as a model sees it.
        encode: gives such a latent ``[1, C, 1, Y, X]`` for a picture ``[1, 3, H, W]`` from 0 to 1.
        frames: latent frames, the last among them, back to which pictures may be asked for.
    """

    def __init__(
        self,
        decoder: Decoder,
        taken: Callable[[Tensor], Tensor],
        encode: Callable[[Tensor], Tensor],
        frames: int,
    ):
        self._decoder, self._taken, self._encode = decoder, taken, encode
        self._most = decoder.reach + frames
        self._waiting: deque[Tensor] = deque()
        self._last: deque[Tensor] = deque(maxlen=frames)
        self._decoding: Decoding | None = None

    def add(self, latent: Tensor) -> None:
        """Take the next frames, ``[1, C, n, Y, X]`` as the model sees them."""
        self._waiting.extend(latent.split(1, 2))
        while len(self._waiting) > self._most:  # begun that late, the last pictures are the same
            self._waiting.popleft()
            self._decoding = None

    def frame(self, back: int) -> Tensor:
        """Encode the last picture of a frame by itself: ``[1, C, 1, Y, X]``.

        Args:
            back: how many latent frames before the last one it is.
        """
        if self._decoding is None:
            self._decoding = self._decoder.begin()
            self._last.clear()
        while self._waiting:
            pictures = self._decoding.decode(self._taken(self._waiting.popleft()))
            self._last.append(pictures[-1:].clone())
        return self._encode(self._last[-1 - back])
