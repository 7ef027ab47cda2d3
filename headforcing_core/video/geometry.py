"""Counts and sizes of a model and of a latent: the one place that converts units."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

from ..files import shown

# what nobody means: a day of video, a picture of 65,536 pixels
DAY = 86_400
WIDEST = 65_536


@dataclass(frozen=True)
class VideoFormat:
    """How a video autoencoder packs pictures into latent frames.

    The first latent frame is one picture, every other one ``time_stride`` pictures:
    ``pixel_frames = time_stride * (F - 1) + 1``.

    Args:
        time_stride: pictures per latent frame.
        space_stride: picture rows (and columns) per latent row (and column).
        fps: pictures per second.
    """

    time_stride: int
    space_stride: int
    fps: float

    def latent_frames(self, seconds: float) -> int:
        """Return the latent frames of a video, at ``time_stride`` pictures each.

        The field counts so: 30 s at 16 fps are 120 latent frames, though the first is one picture.

        Raises:
            ValueError: if ``seconds`` is not positive, or longer than a day.
        """
        if not 0 < seconds <= DAY:
            raise ValueError(f"seconds must be more than 0 and at most {DAY}, got {seconds}")
        return max(1, ceil(round(seconds * self.fps / self.time_stride, 6)))

    def pixel_frames(self, frames: int) -> int:
        return self.time_stride * (frames - 1) + 1

    def first_picture(self, frame: int) -> int:
        """Return the number of the first picture of a latent frame."""
        return max(0, self.pixel_frames(frame))

    def moment(self, frame: int) -> float:
        """Return the second at which a latent frame counts as beginning, as the field counts."""
        return frame * self.time_stride / self.fps

    def frames_until(self, second: float) -> int:
        """Return how many latent frames have ended at a second, as ``moment`` counts.

        Seconds are said to a hundredth: of 24 pictures a third is 1.33, and has ended then.
        """
        return int((second + 0.005) * self.fps / self.time_stride + 1e-6)

    def seconds(self, frames: int) -> float:
        return self.pixel_frames(frames) / self.fps

    def latent_size(self, width: int, height: int) -> tuple[int, int]:
        """Return latent (rows, columns) of a picture size.

        Raises:
            ValueError: if a side is not a positive multiple of ``space_stride`` pixels.
        """
        for name, side in (("width", width), ("height", height)):
            if side > WIDEST:
                raise ValueError(f"{name} must be at most {WIDEST} pixels, got {shown(side)}")
            if side < 1 or side % self.space_stride:
                near = max(1, round(max(side, 0) / self.space_stride)) * self.space_stride
                raise ValueError(
                    f"{name} must be a positive multiple of {self.space_stride} pixels, "
                    f"got {shown(side)}; the nearest is {near}"
                )
        return height // self.space_stride, width // self.space_stride


@dataclass(frozen=True)
class ModelGeometry:
    """What a cache must know of a model.

    Args:
        layers: transformer layers.
        heads: self-attention heads per layer.
        head_dim: channels per head.
    """

    layers: int
    heads: int
    head_dim: int

    def __post_init__(self) -> None:
        if min(self.layers, self.heads) < 1:
            raise ValueError(
                f"layers and heads must be at least 1, got {self.layers} and {self.heads}"
            )
        if self.head_dim < 6 or self.head_dim % 2:
            raise ValueError(
                "head_dim must be even and at least 6 (rotary pairs for time, rows and columns), "
                f"got {self.head_dim}"
            )


@dataclass(frozen=True)
class LatentGrid:
    """Size of one latent frame and how patches cut it into tokens.

    A side that is no multiple of its patch is padded up to one, so any size works.

    Args:
        rows, columns: latent pixels (Y, X).
        patch_rows, patch_columns: latent pixels per token.
    """

    rows: int
    columns: int
    patch_rows: int
    patch_columns: int

    def __post_init__(self) -> None:
        if min(self.rows, self.columns, self.patch_rows, self.patch_columns) < 1:
            raise ValueError(f"a latent grid must have positive sides, got {self}")

    @property
    def token_rows(self) -> int:
        return ceil(self.rows / self.patch_rows)

    @property
    def token_columns(self) -> int:
        return ceil(self.columns / self.patch_columns)

    @property
    def tokens_per_frame(self) -> int:
        return self.token_rows * self.token_columns

    def pooled_tokens(self, size: int) -> int:
        """Return how many ``size`` x ``size`` squares of tokens a frame has."""
        return ceil(self.token_rows / size) * ceil(self.token_columns / size)

    def corners(self, size: int) -> list[int]:
        """Return the first token of every ``size`` x ``size`` square of tokens, row by row."""
        rows, columns = range(0, self.token_rows, size), range(0, self.token_columns, size)
        return [row * self.token_columns + column for row in rows for column in columns]
