"""Where the finished chunks of a demo are shown: a video that grows with them."""

from __future__ import annotations

import logging
import os
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from torch import Tensor

from ..demo.networks import DemoModel
from ..demo.world import SIDE, STRIDE, VIDEO
from ..files import VideoWriter, saved_elsewhere
from ..rollout import FinishedChunk
from ..stopping import undisturbed

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
            with undisturbed():  # half a write is a damaged video
                self._video.write(pictures[STRIDE - 1 :] if done.chunk.start == 0 else pictures)
        except OSError as error:
            if not self._waits:
                log.warning("the video waits in memory: %s", error.strerror or error)
            self._waits = True

    def close(self) -> None:
        """End the video, elsewhere if the place for it is gone.

        Raises:
            OSError: if it is not where it was meant to be; it says where it is.
        """
        try:
            self._video.close()
            if self.pictures:
                self._take_its_place()
        except OSError as error:
            why = f"{self.file} must be writable and its disk not full, got: {error.strerror}"
            try:
                elsewhere = saved_elsewhere(self._video.copy_to, self.file.name)
            except OSError as nowhere:
                raise OSError(f"{why}; {nowhere}") from error
            raise OSError(f"{why}; the video is in {elsewhere} instead") from error
        finally:
            self._video.release()
            with suppress(OSError):  # its folder may be gone
                self._growing.unlink(missing_ok=True)

    def _take_its_place(self) -> None:
        if os.name == "nt":  # which moves no file that is open
            self._video.release()
        os.replace(self._growing, self.file)

    def __enter__(self) -> Screen:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            with undisturbed():
                self.close()
        except OSError as failure:
            if error is None:
                raise
            if isinstance(error, OSError):
                raise OSError(f"{error}; {failure}") from error
            log.warning("%s", failure)  # what went wrong first is the one to be raised


def growing(file: Path) -> Path:
    """Return the name of a video that is not ended."""
    return file.with_suffix(f".unfinished{file.suffix}")
