"""Pictures into an mp4, while they are made."""

from __future__ import annotations

import shutil
from fractions import Fraction
from io import BytesIO
from pathlib import Path
from types import TracebackType

import torch
from torch import Tensor

# constant quality of the encoder: small pictures need it high
QUALITY = "14"


class _Muxed:
    """What the muxer writes to: memory, and nothing else.

    A write that fails inside of it, or is interrupted there, ends the process when it is closed.
    """

    def __init__(self) -> None:
        self._bytes, self._begin = BytesIO(), 0
        self.write = self._bytes.write

    def from_byte(self, position: int) -> bytes:
        """Return what follows a position of the file."""
        return self._bytes.getvalue()[position - self._begin :]

    def forget(self, position: int) -> None:
        """Forget all there is, which reaches to that position; may be done twice."""
        self._begin = position
        self._bytes.seek(0)
        self._bytes.truncate()


class VideoWriter:
    """An mp4 that grows with the video; what was written plays even if the program is killed.

    Use as a context manager. Where the disk is full, what comes next waits in memory until there is
    room: an error says so, and nothing is lost by it.

    Args:
        path: replaced if it exists.
        width, height: of a picture in pixels, both even.
        fps: pictures per second.
        zoom: whole number by which pictures are enlarged, pixel by pixel.
    """

    def __init__(self, path: Path, width: int, height: int, fps: float, zoom: int = 1):
        if width * zoom % 2 or height * zoom % 2:
            raise ValueError(f"a video's sides must be even, got {width * zoom} x {height * zoom}")
        import av  # here, so that what writes no video runs where PyAV is missing

        self.path, self._zoom, self._ended = path, zoom, False
        self._file = path.open("w+b", buffering=0)
        # fragments: a player needs no index at the end of the file
        flags = {
            "movflags": "frag_keyframe+empty_moov+default_base_moof",
            "flush_packets": "1",
        }
        self._muxed = _Muxed()
        self._container = av.open(self._muxed, "w", format="mp4", options=flags)
        rate = Fraction(fps).limit_denominator(1001)
        options = {"crf": QUALITY, "preset": "medium"}
        self._stream = self._container.add_stream("libx264", rate=rate, options=options)
        self._stream.width, self._stream.height = width * zoom, height * zoom
        self._stream.pix_fmt = "yuv420p"
        # one keyframe, and so one fragment, per second
        self._stream.codec_context.gop_size = max(1, round(fps))

    def write(self, pictures: Tensor) -> None:
        """Append pictures ``[N, 3, Y, X]``, 0 to 1.

        Raises:
            OSError: if the disk is full; they wait in memory.
        """
        from av import VideoFrame

        pictures = (pictures.clamp(0, 1) * 255).round().to(torch.uint8).permute(0, 2, 3, 1)
        for picture in pictures.cpu():  # one by one: enlarged, they are many times as large
            for axis in (0, 1):
                picture = picture.repeat_interleave(self._zoom, axis)
            frame = VideoFrame.from_ndarray(picture.numpy(), format="rgb24")
            self._container.mux(self._stream.encode(frame))
        self._save()

    def close(self) -> None:
        """End the video. Its file stays open, so that it can be copied though its folder is gone.

        Raises:
            OSError: if the disk is full; ``copy_to`` has all of it.
        """
        if not self._ended:
            self._ended = True
            self._container.mux(self._stream.encode(None))
            self._container.close()
        self._save()

    def release(self) -> None:
        """Close the file."""
        self._file.close()

    def copy_to(self, path: Path) -> None:
        """Write the video to another place, with what has not found room in its own.

        Raises:
            OSError: if there is no room, either.
        """
        end = self._file.tell()
        self._file.seek(0)
        with path.open("wb") as copy:
            shutil.copyfileobj(self._file, copy)
            copy.write(self._muxed.from_byte(end))
        self._file.seek(end)

    def _save(self) -> None:
        while waiting := self._muxed.from_byte(self._file.tell()):
            self._file.write(waiting)
        try:
            self._muxed.forget(self._file.tell())
        except KeyboardInterrupt:
            self._muxed.forget(self._file.tell())
            raise

    def __enter__(self) -> VideoWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            self.close()
        finally:
            self.release()
