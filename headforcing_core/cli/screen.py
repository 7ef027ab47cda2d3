"""Where the finished chunks of a demo are shown: a video that grows with them."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType

from torch import Tensor

from ..decoding import FramewiseDecoder
from ..demo.networks import DemoModel
from ..demo.world import STRIDE, VIDEO
from ..files import VideoStyle
from ..reel import Film, Reel
from ..rollout import FinishedChunk
from .ending import end_after

# small pictures need it high
QUALITY = 14


class Screen:
    """Finished chunks are decoded one by one, while the next is not yet begun.

    The video grows under another name, and takes that of an earlier one when it ends.

    Args:
        film: the video.
        frames: latent frames of it.
        changes: those at which another prompt begins.
        pictures: the last one of every latent frame, ``[F, 3, Y, X]`` per chunk.
    """

    def __init__(self, model: DemoModel, film: Film, frames: int, changes: frozenset[int]):
        self.model = model
        self.pictures: list[Tensor] = []
        decoder = FramewiseDecoder(self._decoded, STRIDE)
        self._reel = Reel(decoder, model.wan.device, film, frames, changes=changes)

    def show(self, done: FinishedChunk) -> None:
        """Append a chunk to the video; a full disk is no reason to stop, it may be mended."""
        self._reel.add(done.chunk, done.latent)

    def close(self) -> None:
        """End the video, elsewhere if the place for it is gone.

        Raises:
            OSError: if it is not where it was meant to be; it says where it is.
        """
        if self.pictures:
            self._reel.end()
        else:
            self._reel.close()

    def _decoded(self, latent: Tensor) -> Tensor:
        pictures = self.model.decode(latent)
        self.pictures.append(pictures[0, STRIDE - 1 :: STRIDE].clone())
        return pictures

    def __enter__(self) -> Screen:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        end_after(self.close, error)


def film_of(file: Path, zoom: int) -> Film:
    """Return the video of a demo, its pictures enlarged so many times."""
    return Film(file, VideoStyle(VIDEO.fps, QUALITY, zoom=zoom))
