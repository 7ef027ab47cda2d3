"""The file of a video in the host's output folder: its name, what it says, how it is shown."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import folder_paths
from comfy.cli_args import args
from comfy_api.latest import InputImpl, io, ui

from ...headforcing_core.files import (
    ABOUT,
    Sound,
    VideoStyle,
    check_place,
    claimed,
    clear_leftovers,
    read_about,
)
from ...headforcing_core.reel import VIDEO, Film

# that are tried, where others write to the same folder
MOST_NAMES = 1000


@dataclass(frozen=True)
class FilmSettings:
    """What widgets and hidden inputs say of a video's file.

    Args:
        prefix: as Save Video takes it.
        metadata: what a file says that is dropped on the page.
    """

    prefix: str
    style: VideoStyle
    metadata: Mapping[str, str]
    sound: Sound | None = None

    @classmethod
    def of(
        cls,
        prefix: str,
        style: VideoStyle,
        metadata: Mapping[str, str],
        audio: dict | None,
    ) -> FilmSettings:
        """Return settings with the sound that the host gives.

        Args:
            metadata: see ``said_of``.
        """
        return cls(prefix, style, metadata, _sound(audio))

    @contextmanager
    def holding(self, width: int, height: int, before: str | None = None) -> Iterator[Film]:
        """Hold the next free name for one run; of a run that goes on, the name it had.

        Args:
            width, height: of a picture.
            before: path that an earlier run of this video was growing in.

        Raises:
            ValueError: if nothing can be written there.
        """
        with ExitStack() as held:
            for path in self._names(width, height, before and Path(before)):
                try:
                    held.enter_context(claimed(path))
                    break
                except ValueError:
                    # another server writes to the same folder; what else is wrong is told
                    check_place(path)
            else:
                raise ValueError(
                    f"filename_prefix must leave a name that no other run writes to, got "
                    f"{self.prefix!r}; choose another"
                )
            film = Film(path, self.style, self.metadata, self.sound)
            check_place(film.growing)
            for file in film.files:
                clear_leftovers(file)
            yield film

    def _grows_in(self, growing: Path) -> bool:
        """Tell whether it is this video that grows there; another may have taken the name."""
        try:
            return read_about(growing).get(VIDEO) == json.loads(self.metadata[ABOUT]).get(VIDEO)
        except (ValueError, KeyError):
            return False

    def _names(self, width: int, height: int, before: Path | None) -> Iterator[Path]:
        """Yield names that nobody has, the best first."""
        folder, name, first, _, _ = folder_paths.get_save_image_path(
            self.prefix, folder_paths.get_output_directory(), width, height
        )
        suffix = f".{self.style.container}"
        if before is not None and not before.exists():
            named_so = before.parent == Path(folder) and before.name.startswith(f"{name}_")
            if named_so and before.suffix == suffix and self._grows_in(Film.growing_of(before)):
                yield before
        for counter in range(first, first + MOST_NAMES):
            yield Path(folder) / f"{name}_{counter:05}_{suffix}"


def said_of(hidden: object, about: Mapping[str, object] | None = None) -> dict[str, str]:
    """Return what a file says: what Save Video writes of a graph, and how the video is made.

    Args:
        hidden: of the node that saves it.
    """
    if args.disable_metadata:
        return {}
    said = dict(hidden.extra_pnginfo or {})
    if hidden.prompt is not None:
        said["prompt"] = hidden.prompt
    if about is not None:
        said[ABOUT] = about
    return {name: json.dumps(value) for name, value in said.items()}


def _sound(audio: dict | None) -> Sound | None:
    """Return the host's audio as sound.

    Raises:
        ValueError: if it is of several videos, or of as many channels as no file takes.
    """
    if audio is None:
        return None
    waveform = audio["waveform"]
    if waveform.ndim != 3 or len(waveform) != 1:
        raise ValueError(f"audio must be of one video, got {list(waveform.shape)}")
    return Sound(waveform[0], int(audio["sample_rate"]))


def shown(path: Path) -> ui.PreviewVideo:
    """Return what makes the page play a file of the output folder."""
    # in names alone: folders may be links to other disks
    place = os.path.relpath(path.parent, folder_paths.get_output_directory())
    return ui.PreviewVideo([ui.SavedResult(path.name, place, io.FolderType.output)])


def as_video(path: Path) -> InputImpl.VideoFromFile:
    return InputImpl.VideoFromFile(str(path))
