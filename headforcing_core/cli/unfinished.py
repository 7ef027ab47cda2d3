"""What a killed or stopped run of a command leaves, from which the same command goes on."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from torch import Tensor

from ..files import Parts, refuges
from ..generation import VideoRequest
from ..reel import KeptChunks
from ..video import ChunkClock, PromptSchedule

log = logging.getLogger("headforcing")
SUFFIX, ELSEWHERE = ".unfinished", ".head_forcing_unfinished"
# letters of a folder's name
KEY = 24
# what decides no frame: a longer video begins with the same ones
FREE = ("device",)


@dataclass(frozen=True)
class Unfinished:
    """Chunks of one video beside the file it becomes, elsewhere if the disk is full.

    Args:
        place: that file.
        key: of everything that decides its frames.
    """

    place: Path
    key: str

    @classmethod
    def of(
        cls,
        place: Path,
        request: VideoRequest,
        settings: Mapping[str, object],
        prompts: PromptSchedule,
        given: Tensor | None,
        weights: Mapping[str, Tensor],
    ) -> Unfinished:
        """Return what is left of a video that is made so.

        Args:
            settings: of the run.
            prompts: encoded.
            given: first frames.
            weights: of the model, which another precision changes, though it is the same model.
        """
        plain = {name: value for name, value in settings.items() if name not in FREE}
        # of a method settings tell the name alone
        way = [repr(request.method), repr(request.head_map and request.head_map.types)]
        said = json.dumps([plain, way, prompts.starts, sorted(prompts.cuts)], sort_keys=True)
        digest = sha256(said.encode())
        for tensor in (*prompts.texts, *([] if given is None else [given])):
            digest.update(f"{list(tensor.shape)}".encode())
            digest.update(tensor.detach().float().cpu().contiguous().numpy())
        for name, weight in sorted(weights.items()):
            digest.update(f"{name} {float(weight.float().sum())};".encode())
        return cls(place, digest.hexdigest()[:KEY])

    @property
    def folders(self) -> list[Path]:
        beside = self.place.with_name(self.place.name + SUFFIX)
        return [beside / self.key, *(other / self.key for other in refuges(ELSEWHERE))]

    @property
    def parts(self) -> Parts:
        return Parts(self.folders)

    def chunks(self, clock: ChunkClock) -> KeptChunks:
        return KeptChunks(self.parts, clock, self.key)

    def forget(self) -> None:
        """Remove the places of a run that became one of another video, where nothing is left."""
        for folder in self.folders:
            with suppress(OSError):  # not there, or not empty
                folder.rmdir()

    def remove(self) -> None:
        """Remove it, and what other videos left that were to have the same name."""
        beside, *others = self.folders
        for folder in (beside.parent, *others):
            shutil.rmtree(folder, ignore_errors=True)
