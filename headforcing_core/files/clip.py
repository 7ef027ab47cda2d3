"""Pictures of one chunk as a piece of video that stands by itself."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from io import BytesIO

import torch
from torch import Tensor

# what players, and the muxers of other containers, can take out of the growing file
CODECS = {"mp4": "libx264", "mkv": "libx264", "webm": "libvpx-vp9"}
CONTAINERS = tuple(CODECS)
BEST, WORST = 0, 51
# pictures per second
SLOWEST, FASTEST = 0.01, 1000
# of libvpx, whose scale is longer
WORST_VPX = 63
# each piece is muxed for itself and takes its place by its own numbers
MOVFLAGS = (
    *("frag_custom", "empty_moov", "default_base_moof", "frag_discont", "skip_trailer"),
    "use_metadata_tags",
)
BOX_HEAD = 8
# ITU-T H.273; of ranges, FFmpeg's number
BT709, LIMITED = 1, 1


@dataclass(frozen=True)
class VideoStyle:
    """How pictures are encoded.

    Args:
        fps: pictures per second.
        quality: constant quality from 0 (best) to 51 (worst), as x264 counts; 17 is nearly
            transparent.
        container: mp4, mkv (both H.264) or webm (VP9).
        zoom: whole number by which pictures are enlarged, pixel by pixel.
    """

    fps: float
    quality: float = 17
    container: str = "mp4"
    zoom: int = 1

    def __post_init__(self) -> None:
        if self.container not in CODECS:
            raise ValueError(f"container must be one of {', '.join(CODECS)}, got {self.container}")
        if not SLOWEST <= self.fps <= FASTEST:
            raise ValueError(
                f"fps must be from {SLOWEST:g} to {FASTEST} pictures per second, got {self.fps:g}"
            )
        if not BEST <= self.quality <= WORST:
            raise ValueError(f"quality must be from {BEST} to {WORST}, got {self.quality:g}")

    @property
    def rate(self) -> Fraction:
        return Fraction(self.fps).limit_denominator(1001)

    @property
    def codec(self) -> str:
        return CODECS[self.container]

    @property
    def options(self) -> dict[str, str]:
        """The encoder's options. No picture is told by later ones: a piece must begin where it
        begins, and the file plays from its first picture on."""
        if self.codec == "libx264":
            return {"crf": f"{self.quality:g}", "preset": "medium", "bf": "0"}
        crf = round(self.quality * WORST_VPX / WORST)
        return {
            **{"crf": str(crf), "b": "0", "deadline": "good", "cpu-used": "4", "row-mt": "1"},
            **{"lag-in-frames": "0", "auto-alt-ref": "0"},
        }


@dataclass(frozen=True)
class ClipMaker:
    """Encodes chunks, each by itself: a clip depends on its own pictures and on nothing else, so a
    video that was interrupted goes on as if it had not been.

    Args:
        width, height: of a picture in pixels before it is enlarged; even once it is.
    """

    style: VideoStyle
    width: int
    height: int

    def __post_init__(self) -> None:
        width, height = self.size
        if width % 2 or height % 2:
            raise ValueError(f"a video's sides must be even, got {width} x {height}")

    @property
    def size(self) -> tuple[int, int]:
        return self.width * self.style.zoom, self.height * self.style.zoom

    def head(self, metadata: dict[str, str]) -> bytes:
        """Return what a video of clips begins with."""
        return self._muxed(self._black, 0, metadata)[0]

    def clip(self, pictures: Tensor, first: int) -> bytes:
        """Encode a chunk.

        Args:
            pictures: ``[n, H, W, 3]`` uint8 on the CPU.
            first: number of the first picture in the video.

        Returns:
            bytes to append to a head, or to a clip.
        """
        head, clip = self._muxed(pictures, first, {})
        if head != self._plain_head:
            raise RuntimeError("the video encoder must give every clip alike, got another setting")
        return clip

    @cached_property
    def _plain_head(self) -> bytes:
        return self.head({})

    @property
    def _black(self) -> Tensor:
        return torch.zeros(1, self.height, self.width, 3, dtype=torch.uint8)

    def _muxed(self, pictures: Tensor, first: int, metadata: dict[str, str]) -> tuple[bytes, bytes]:
        import av  # here, so that what writes no video runs where PyAV is missing

        rate = self.style.rate
        # a piece counts as the number of its first picture, so that numbers rise
        options = {"movflags": "+".join(MOVFLAGS), "fragment_index": str(1 + first)}
        # memory: a write that fails inside of the muxer ends the process when it is closed
        file = BytesIO()
        with av.open(
            file, "w", format="mp4", options={**options, "avoid_negative_ts": "disabled"}
        ) as container:
            for name, value in metadata.items():
                container.metadata[name] = value
            stream = container.add_stream(self.style.codec, rate=rate, options=self.style.options)
            stream.width, stream.height = self.size
            stream.pix_fmt = "yuv420p"
            _say_colours(stream.codec_context)
            stream.codec_context.time_base = 1 / rate
            stream.codec_context.gop_size = max(2, len(pictures))
            for number, picture in enumerate(pictures, first):
                frame = self._frame(picture)
                frame.pts, frame.time_base = number, 1 / rate
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
        content = file.getvalue()
        begin = _box(content, b"moof")
        return content[:begin], content[begin:]

    def _frame(self, picture: Tensor) -> object:
        from av import VideoFrame
        from av.video.reformatter import Colorspace

        for axis in (0, 1):
            picture = picture.repeat_interleave(self.style.zoom, axis)
        frame = VideoFrame.from_ndarray(picture.numpy(), format="rgb24")
        return frame.reformat(format="yuv420p", dst_colorspace=Colorspace.ITU709)


def library_versions() -> dict[str, object]:
    """Return what decides, beside a style, how pictures come out as clips."""
    import av

    return dict(av.library_versions)


def _say_colours(context: object) -> None:
    """Say by which formula colours were packed: players guess, and not alike."""
    context.colorspace = context.color_primaries = context.color_trc = BT709
    context.color_range = LIMITED


def _box(content: bytes, name: bytes) -> int:
    """Return where an mp4's first box of that name begins."""
    at = 0
    while content[at + 4 : at + BOX_HEAD] != name:
        at += int.from_bytes(content[at : at + 4], "big")
    return at
