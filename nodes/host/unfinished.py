"""Where the finished chunks of a run are kept, until everything that needs them has ended well."""

from __future__ import annotations

import logging
import shutil
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import folder_paths

from ...headforcing_core.files import Part, Parts, refuges

log = logging.getLogger("headforcing")
FOLDER = "head_forcing_unfinished"
# letters of a video's name that its folder has
SHORT = 24
RUN = "run"
# a day, in seconds: what was finished before the host was started anew
KEPT_FOR = 86_400


@dataclass(frozen=True)
class Unfinished:
    """What is kept of one video.

    A run that ends well leaves it until the host says that its prompt has ended well, too: what
    comes after the sampler may fail, and the video is not to be made twice.

    Args:
        name: of the video.
    """

    name: str

    @property
    def parts(self) -> Parts:
        folders = [root / self.name[:SHORT] for root in roots()]
        beside = _about(Parts(folders)).get("latents")
        if isinstance(beside, str):  # of the video that the last run ended with
            folders.append(Path(beside))
        return Parts(folders)

    @property
    def place(self) -> Path:
        """Where chunks are, as far as there is room."""
        return self.parts.folders[0]

    @property
    def film(self) -> str | None:
        """The file that the video was growing into."""
        film = _about(self.parts).get("film")
        return film if isinstance(film, str) else None

    def begin(self, film: Path | None) -> None:
        """Note a run that has begun."""
        latents = _about(self.parts).get("latents")
        self._note({"film": film and str(film), "latents": latents})

    def collected(self, latents: Path) -> None:
        """Note where chunks have been put."""
        self._note({**_about(self.parts), "latents": str(latents)})

    def ended(self, prompt: str | None) -> None:
        """Note a run that has ended well, and the prompt it was part of."""
        self._note({**_about(self.parts), "prompt": prompt, "done": True})

    def forget(self) -> None:
        """Remove the note of a run that became one of another video; parts that stay, stay."""
        for note in self.parts.paths(RUN):
            with suppress(OSError):  # what may not be removed does no harm
                note.unlink(missing_ok=True)
        for root in roots():
            with suppress(OSError):  # not there, or not empty
                (root / self.name[:SHORT]).rmdir()

    def _note(self, about: dict[str, object]) -> None:
        parts = self.parts
        try:
            note = parts.write(RUN, Part({}, about)).path
            for older in parts.paths(RUN):  # written when there was room elsewhere
                if older != note:
                    older.unlink(missing_ok=True)
        except OSError as error:  # chunks may find room all the same
            log.warning("Head Forcing: %s", error)


def roots() -> list[Path]:
    """Return the folders in which runs are kept: the host's output, and others if it is full."""
    return [Path(folder_paths.get_output_directory()) / FOLDER, *refuges(f".{FOLDER}")]


def clear(begun: Unfinished) -> None:
    """Remove what is kept of runs that have ended well with everything after them.

    Args:
        begun: a run that begins: of its own video it may go on from what there is.
    """
    places = roots()
    # where a disk was full, a run lies in several of them and its note in one
    for name in {folder.name for root in places for folder in root.glob("*")}:
        if name == begun.name[:SHORT]:
            continue
        parts = Parts([root / name for root in places])
        about = _about(parts)
        if about.get("done") is True and (_ended_well(about.get("prompt")) or _old(parts)):
            for folder in parts.folders:
                shutil.rmtree(folder, ignore_errors=True)


def _about(parts: Parts) -> dict[str, object]:
    try:
        part = parts.read(RUN)
    except ValueError:
        return {}
    return dict(part.about) if part is not None and isinstance(part.about, dict) else {}


def _old(parts: Parts) -> bool:
    """Tell whether nobody has come back to a video for long, if the host does not know of it."""
    try:
        newest = max(path.stat().st_mtime for path in parts.paths(RUN))
        return time.time() - newest > KEPT_FOR
    except (OSError, ValueError):  # gone meanwhile
        return False


def _ended_well(prompt: object) -> bool:
    """Tell whether the host knows that a prompt has ended well."""
    try:
        from server import PromptServer
    except ImportError:  # there is one where nodes run, not in every script
        return False
    server = getattr(PromptServer, "instance", None)
    if server is None or not isinstance(prompt, str):
        return False
    said = server.prompt_queue.get_history(prompt_id=prompt).get(prompt, {}).get("status") or {}
    return said.get("status_str") == "success"
