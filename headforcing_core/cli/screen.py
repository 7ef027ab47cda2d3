"""Where the finished chunks of a demo are shown: a video that grows with them."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from types import TracebackType

from torch import Tensor

from ..demo.networks import DemoModel
from ..demo.world import SIDE, STRIDE, VIDEO
from ..files import VideoWriter, saved_elsewhere
from ..rollout import FinishedChunk
from .stopping import to_the_end

log = logging.getLogger("headforcing")


class Screen:
    """Finished chunks are decoded one by one, while the next is not yet begun.

    The video grows under another name, and takes that of an earlier one when it ends.

    Args:
        file: the video.
        zoom: times its pictures are enlarged.
        pictures: the last one of every latent frame, ``[F, 3, Y, X]`` per chunk.
    """

    def __init__(self, model: DemoModel, file: Path, zoom: int):
        self.model, self.file = model, file
        self.pictures: list[Tensor] = []
        self._waits = False
        self._growing = growing(file)
        self._video = VideoWriter(self._growing, SIDE, SIDE, VIDEO.fps, zoom)

    def show(self, done: FinishedChunk) -> None:
        """Append a chunk to the video; a full disk is no reason to stop, it may be mended."""
        pictures = self.model.decode(done.latent)[0]
        self.pictures.append(pictures[STRIDE - 1 :: STRIDE].clone())
        try:
            self._video.write(pictures[STRIDE - 1 :] if done.chunk.start == 0 else pictures)
        except OSError as error:
            if not self._waits:
                log.warning("the video waits in memory: %s", error)
            self._waits = True

    def close(self) -> None:
        """End the video, elsewhere if the place for it is gone.

        Raises:
            OSError: if it is not where it was meant to be; it says where it is.
        """
        try:
            self._video.close()
            if self.pictures:
                os.replace(self._growing, self.file)
        except OSError as error:
            try:
                elsewhere = saved_elsewhere(self._video.copy_to, self.file.name)
            except OSError as nowhere:
                raise OSError(f"{self.file}: {error}; {nowhere}") from error
            raise OSError(f"{self.file}: {error}; the video is in {elsewhere} instead") from error
        finally:
            self._growing.unlink(missing_ok=True)

    def __enter__(self) -> Screen:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            to_the_end(self.close)
        except OSError as failure:
            if error is None:
                raise
            log.warning("%s", failure)  # what went wrong first is the one to be raised


def growing(file: Path) -> Path:
    """Return the name of a video that is not ended."""
    return file.with_suffix(f".unfinished{file.suffix}")
