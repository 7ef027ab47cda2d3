"""Pictures into an mp4, while they are made."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from types import TracebackType

import torch
from torch import Tensor

# constant quality of the encoder: small pictures need it high
QUALITY = "14"


class VideoWriter:
    """An mp4 that grows with the video; what was written plays even if the program is killed.

    Use as a context manager.

    Args:
        path: replaced if it exists.
        width, height: of a picture in pixels, both even.
        fps: pictures per second.
        zoom: whole number by which pictures are enlarged, pixel by pixel.
    """

    def __init__(self, path: Path, width: int, height: int, fps: float, zoom: int = 1):
        if width * zoom % 2 or height * zoom % 2:
            raise ValueError(f"a video's sides must be even, got {width * zoom} x {height * zoom}")
        self._zoom = zoom
        # fragments: a player needs no index at the end of the file
        flags = {
            "movflags": "frag_keyframe+empty_moov+default_base_moof",
            "flush_packets": "1",
        }
        import av  # here, so that what writes no video runs where PyAV is missing

        self._file = av.open(str(path), "w", format="mp4", options=flags)
        rate = Fraction(fps).limit_denominator(1001)
        options = {"crf": QUALITY, "preset": "medium"}
        self._stream = self._file.add_stream("libx264", rate=rate, options=options)
        self._stream.width, self._stream.height = width * zoom, height * zoom
        self._stream.pix_fmt = "yuv420p"
        # one keyframe, and so one fragment, per second
        self._stream.codec_context.gop_size = max(1, round(fps))

    def write(self, pictures: Tensor) -> None:
        """Append pictures ``[N, 3, Y, X]``, 0 to 1."""
        from av import VideoFrame

        pictures = (pictures.clamp(0, 1) * 255).round().to(torch.uint8).permute(0, 2, 3, 1)
        for axis in (1, 2):
            pictures = pictures.repeat_interleave(self._zoom, axis)
        for picture in pictures.cpu().numpy():
            frame = VideoFrame.from_ndarray(picture, format="rgb24")
            self._file.mux(self._stream.encode(frame))

    def close(self) -> None:
        self._file.mux(self._stream.encode(None))
        self._file.close()

    def __enter__(self) -> VideoWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
