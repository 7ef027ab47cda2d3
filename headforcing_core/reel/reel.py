"""A video that is decoded, encoded and written while it is made."""

from __future__ import annotations

import logging
import os
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import torch
from torch import Tensor

from ..decoding import Decoder, Decoding
from ..files import (
    ClipMaker,
    GrowingVideo,
    end_video,
    saved_elsewhere,
    write_png,
    write_text,
)
from ..telemetry import Measures, Telemetry, as_json, draw_reports, left, report_of
from ..video import Chunk
from .aside import Aside
from .film import Film
from .kept_clips import KeptClip, KeptClips

log = logging.getLogger("headforcing")
# chunks that may wait to be encoded: more would only fill memory
AHEAD = 2


class Reel:
    """Takes the finished chunks of a video in order; memory does not grow with them.

    The file grows under another name and plays up to the last chunk, whatever becomes of the
    program. What is kept of an earlier run is not decoded again.

    Args:
        decoder: latents to pictures.
        device: where it does so.
        film: the file.
        frames: latent frames of the whole video.
        kept: clips of earlier runs, and place for new ones; None: nothing is kept but the file.
        cuts: frames at which another scene begins.
        changes: frames at which another prompt begins.
        seen: is shown the pictures of every chunk, ``[m, H, W, 3]`` bytes, and what they measured,
            by the thread that encodes them; what is known already is not shown again.
    """

    def __init__(
        self,
        decoder: Decoder,
        device: torch.device,
        film: Film,
        frames: int,
        kept: KeptClips | None = None,
        cuts: frozenset[int] = frozenset(),
        changes: frozenset[int] = frozenset(),
        seen: Callable[[Chunk, Tensor, Measures], None] | None = None,
    ):
        self.decoder, self.film, self.kept, self.frames = decoder, film, kept, frames
        self.cuts, self.changes, self.seen = cuts, changes, seen
        self.telemetry = Telemetry(film.style.fps)
        self.measured: list[Measures] = []
        self.aside = Aside(device)
        self.decoding: Decoding | None = None
        self.maker: ClipMaker | None = None
        self.video: GrowingVideo | None = None
        self.pictures = 0
        # frames whose clips are there
        self.known = 0
        self._worker = ThreadPoolExecutor(1, "headforcing-reel")
        self._work: deque[Future] = deque()
        self._told = False
        self._news: deque[str] = deque()
        if kept is not None:
            self._take_up(kept, frames)

    def add(self, chunk: Chunk, latent: Tensor) -> None:
        """Decode a chunk and hand its pictures on; what is known already is not shown again.

        Args:
            latent: ``[1, C, n, Y, X]`` as the decoder takes it.

        Raises:
            RuntimeError: if an earlier chunk could not be decoded or encoded.
        """
        while len(self._work) > AHEAD:
            self._work.popleft().result()
        # of what is known the decoder must have seen as much as new pictures depend on
        if chunk.stop <= self.known - self.decoder.reach:
            return
        if self.decoding is None:
            self.decoding = self.decoder.begin()
        with self.aside.working(latent):
            pictures = self.decoding.decode(latent)
            fetch = self.aside.fetched(_as_bytes(pictures))
        if chunk.stop <= self.known:
            self._work.append(self._worker.submit(self._again, fetch))
            return
        first, self.pictures = self.pictures, self.pictures + len(pictures)
        self._work.append(self._worker.submit(self._show, chunk, first, fetch))

    def end(self) -> Path:
        """End the video; return its file, which is plain and can be searched.

        Where there is no room for that, it stays as it has grown, which plays as well.

        Raises:
            OSError: if it is not where it was meant to be; it says where it is.
            RuntimeError: if a chunk could not be encoded.
        """
        self.settle()
        if self.video is None:
            raise RuntimeError("a video must have a chunk at least, got none")
        try:
            self.video.save()
            return self._ended()
        except OSError as error:
            why = f"{self.film.path} must be writable and its disk not full, got: {error}"
            try:
                elsewhere = saved_elsewhere(self.video.copy_to, self.film.growing.name)
            except OSError as nowhere:
                raise OSError(f"{why}; {nowhere}") from error
            if self.video.in_place:
                self.film.growing.unlink(missing_ok=True)
            raise OSError(f"{why}; the video is in {elsewhere} instead") from error
        finally:
            self.close()

    def settle(self) -> None:
        """Wait until everything that was handed over is decoded, encoded and written.

        Raises:
            RuntimeError: if a chunk could not be.
        """
        while self._work:
            self._work.popleft().result()

    def turn(
        self,
        film: Film,
        kept: KeptClips | None,
        cuts: frozenset[int],
        changes: frozenset[int],
    ) -> None:
        """Go on as another video that begins with the same chunks.

        Args:
            film: in the same place; the file says at once how it is made now.
            kept, cuts, changes: see the class.

        Raises:
            RuntimeError: see ``settle``.
        """
        self.settle()
        self.film, self.kept, self.cuts, self.changes = film, kept, cuts, changes
        clips = [] if kept is None else kept.leading(self.frames)
        # without all of them it keeps its old head until it ends
        if clips and self.pictures == clips[-1].first + clips[-1].count:
            self.video.close()
            self._begin(clips[-1].width, clips[-1].height, clips)

    def news(self) -> list[str]:
        """Return what measures have left their bands since this was last asked, a sentence each."""
        return [self._news.popleft() for _ in range(len(self._news))]

    def close(self) -> None:
        """Stop, after what was handed over is written; the growing file stays, and plays."""
        self._worker.shutdown()
        if self.video is not None:
            self.video.close()

    def _ended(self) -> Path:
        film = self.film
        if not self.video.in_place:
            raise OSError(f"{film.growing} must stay where it grows, got another file, or none")
        try:
            end_video(film.growing, film.path, film.style, film.metadata, film.sound)
        except OSError as error:
            return self._as_grown(error)
        self.video.close()
        film.growing.unlink(missing_ok=True)
        self._report(film)
        return film.path

    def _as_grown(self, error: OSError) -> Path:
        """Leave the video as it is, for want of room; only a plain one can be searched."""
        film = self.film
        if film.style.container != "mp4" or film.sound is not None:
            log.warning("%s; the video stays as it has grown, in %s", error, film.growing)
            return film.growing
        if os.name == "nt":  # which moves no file that is open
            self.video.close()
        os.replace(film.growing, film.path)
        log.warning("%s; the video stays as it has grown, and cannot be searched", error)
        return film.path

    def _report(self, film: Film) -> None:
        """Write what was measured beside the video; the video does not depend on it."""
        report = report_of(film.path.stem, film.style.fps, self.measured)
        try:
            write_text(film.report, as_json([report]))
            write_png(film.plot, draw_reports([report]))
        except OSError as error:
            log.warning("what was measured of the video is not written: %s", error)

    def _take_up(self, kept: KeptClips, frames: int) -> None:
        """Begin the file with the clips that are there."""
        clips = kept.leading(frames)
        if not clips:
            return
        self.measured = [clip.measures for clip in clips]
        self.telemetry = Telemetry(self.film.style.fps, self.measured)
        last = clips[-1]
        self.known, self.pictures = last.stop, last.first + last.count
        self._begin(last.width, last.height, clips)

    def _begin(self, width: int, height: int, clips: Sequence[KeptClip] = ()) -> None:
        self.maker = ClipMaker(self.film.style, width, height)
        head = self.maker.head(dict(self.film.metadata))
        contents = (self.kept.content(clip) for clip in clips)
        self.video = GrowingVideo(self.film.growing, head, contents)

    def _again(self, fetch: Callable[[], Tensor]) -> None:
        """Let the next chunk be compared with one that is known."""
        self.telemetry.again(_as_numbers(fetch()))

    def _measure(self, chunk: Chunk, pictures: Tensor) -> Measures:
        measures = self.telemetry.add(
            _as_numbers(pictures), chunk.start in self.cuts, chunk.start in self.changes
        )
        self.measured.append(measures)
        self._news.extend(left(measures))
        return measures

    def _show(self, chunk: Chunk, first: int, fetch: Callable[[], Tensor]) -> None:
        """Encode a chunk and write it; a full disk is no reason to stop, it may be mended."""
        pictures = fetch()
        count, height, width = pictures.shape[:3]
        if self.maker is None:
            self._begin(width, height)
        clip = self.maker.clip(pictures, first)
        measures = self._measure(chunk, pictures)
        if self.seen is not None:
            self.seen(chunk, pictures, measures)
        try:
            if self.kept is not None:
                about = KeptClip(chunk.start, chunk.stop, first, count, width, height, measures)
                self.kept.write(about, clip)
        except OSError as error:
            self._tell(error)
        try:
            self.video.append(clip)
        except OSError as error:
            self._tell(error)

    def _tell(self, error: OSError) -> None:
        if not self._told:
            log.warning("the video waits in memory: %s", error.strerror or error)
        self._told = True


def _as_bytes(pictures: Tensor) -> Tensor:
    """Return ``[m, H, W, 3]`` bytes of ``[m, 3, H, W]`` from 0 to 1."""
    return (pictures.clamp(0, 1) * 255).round().to(torch.uint8).permute(0, 2, 3, 1).contiguous()


def _as_numbers(pictures: Tensor) -> Tensor:
    """Return ``[m, 3, H, W]`` from 0 to 1 of ``[m, H, W, 3]`` bytes."""
    return pictures.permute(0, 3, 1, 2).float() / 255
