"""A video's clips as one plain file, which can be searched, with its sound and what made it."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from torch import Tensor

from .clip import VideoStyle
from .replaced import replacing

FORMATS = {"mp4": "mp4", "mkv": "matroska", "webm": "webm"}
SOUND = {"mp4": "aac", "mkv": "aac", "webm": "libopus"}
# the only rate that Opus knows, and those of AAC; another one is made the usual one
USUAL_RATE = 48_000
AAC_RATES = (96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 8_000)
# samples per second that anybody records
FASTEST = 768_000
LAYOUTS = {1: "mono", 2: "stereo", 6: "5.1"}


@dataclass(frozen=True)
class Sound:
    """What is heard.

    Args:
        waveform: ``[channels, samples]``, -1 to 1.
        rate: samples per second.
    """

    waveform: Tensor
    rate: int

    def __post_init__(self) -> None:
        if self.waveform.ndim != 2 or len(self.waveform) not in LAYOUTS:
            raise ValueError(
                f"sound must be [channels, samples] of {', '.join(map(str, LAYOUTS))} channels, "
                f"got {list(self.waveform.shape)}"
            )
        if not 1 <= self.rate <= FASTEST:
            raise ValueError(f"sound must have a rate from 1 to {FASTEST}, got {self.rate}")
        if not self.waveform.isfinite().all():
            raise ValueError("sound must be finite numbers, got NaN or infinity")


def end_video(
    growing: Path,
    path: Path,
    style: VideoStyle,
    metadata: Mapping[str, str],
    sound: Sound | None = None,
) -> None:
    """Write the clips of a growing video as a plain file, whole or not at all.

    Pictures are copied as they are encoded; sound ends where they do.

    Args:
        path: replaced if it exists.

    Raises:
        OSError: if the disk is full; the growing file stays as it was.
    """
    from av.error import FFmpegError  # see clip.py

    with replacing(path) as partial, partial.open("r+b", buffering=0) as file:
        careful = _Careful(file)
        try:
            _mux(growing, careful, style, metadata, sound)
        except FFmpegError as error:
            raise careful.error or OSError(f"{growing} cannot be ended: {error}") from error
        if careful.error is not None:
            raise careful.error


def _mux(
    growing: Path,
    careful: _Careful,
    style: VideoStyle,
    metadata: Mapping[str, str],
    sound: Sound | None,
) -> None:
    import av

    options = {"movflags": "use_metadata_tags"} if style.container == "mp4" else {}
    with (
        av.open(str(growing)) as source,
        av.open(careful, "w", format=FORMATS[style.container], options=options) as target,
    ):
        for name, value in metadata.items():
            target.metadata[name] = value
        (seen,) = source.streams.video
        video = target.add_stream_from_template(seen)
        audio = None if sound is None else _Audio(target, style.container, sound)
        for packet in source.demux(seen):
            if packet.dts is None:  # it only says that there are no more
                continue
            packet.stream = video
            until = (packet.pts + packet.duration) * packet.time_base
            target.mux(packet)
            if audio is not None:
                audio.until(until)
        if audio is not None:
            audio.end()


class _Audio:
    """Sound on its way into a file, as far as the pictures are."""

    def __init__(self, target: object, container: str, sound: Sound):
        from av import AudioResampler

        self.sound, self.target, self.done = sound, target, 0
        layout = LAYOUTS[len(sound.waveform)]
        fits = container != "webm" and sound.rate in AAC_RATES
        rate = sound.rate if fits else USUAL_RATE
        self.stream = target.add_stream(SOUND[container], rate=rate, layout=layout)
        wanted = self.stream.codec_context.format.name
        self.resampler = AudioResampler(format=wanted, layout=layout, rate=rate)
        self.layout = layout

    def until(self, second: Fraction) -> None:
        end = min(self.sound.waveform.shape[1], round(second * self.sound.rate))
        if end > self.done:
            for frame in self._frames(self.done, end):
                self.target.mux(self.stream.encode(frame))
            self.done = end

    def end(self) -> None:
        for frame in (*self.resampler.resample(None), None):
            self.target.mux(self.stream.encode(frame))

    def _frames(self, begin: int, end: int) -> Iterator[object]:
        from av import AudioFrame

        part = self.sound.waveform[:, begin:end].float().cpu().clamp(-1, 1).contiguous().numpy()
        frame = AudioFrame.from_ndarray(part, format="fltp", layout=self.layout)
        frame.sample_rate, frame.pts = self.sound.rate, begin
        frame.time_base = Fraction(1, self.sound.rate)
        yield from self.resampler.resample(frame)


class _Careful(io.RawIOBase):
    """A file that never fails a muxer, whose process would end of it when it is closed.

    Args:
        error: the first there was.
    """

    def __init__(self, file: io.FileIO):
        self._file, self.error = file, None

    def write(self, content: bytes) -> int:
        left = memoryview(content)
        try:
            while left and self.error is None:
                left = left[self._file.write(left) :]
        except OSError as error:
            self.error = error
        return len(content)

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True
