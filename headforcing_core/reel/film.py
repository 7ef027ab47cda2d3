"""The file that a video becomes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ..files import Sound, VideoStyle


@dataclass(frozen=True)
class Film:
    """Where a video goes, and how it is encoded.

    Args:
        path: of the file at the end; its suffix is the container's.
        metadata: what the file says of itself.
        sound: ends with the pictures.
    """

    path: Path
    style: VideoStyle
    metadata: Mapping[str, str] = field(default_factory=dict)
    sound: Sound | None = None

    def __post_init__(self) -> None:
        if self.path.suffix.lower() != f".{self.style.container}":
            raise ValueError(
                f"a video must go to a .{self.style.container} file, got {self.path.name}"
            )

    @property
    def growing(self) -> Path:
        """The file while it grows, which is an mp4 whatever it becomes."""
        return self.growing_of(self.path)

    @staticmethod
    def growing_of(path: Path) -> Path:
        """Return where a video grows that goes to some file."""
        return path.with_suffix(".unfinished.mp4")

    @property
    def files(self) -> tuple[Path, ...]:
        """All that is written, the growing file too."""
        return self.path, self.growing, self.report, self.plot

    @property
    def report(self) -> Path:
        """What was measured of the video."""
        return self.path.with_suffix(".drift.json")

    @property
    def plot(self) -> Path:
        """The same, drawn."""
        return self.path.with_suffix(".drift.png")
