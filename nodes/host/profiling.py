"""A ComfyUI model as the subject of a head profile."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import folder_paths
from comfy.model_patcher import ModelPatcher

from ...headforcing_core.attention import Observer
from ...headforcing_core.files import clear_leftovers
from ...headforcing_core.generation import VideoRequest
from ...headforcing_core.heads import HeadProfile, ProfileSettings, Watch, write_profile
from ...headforcing_core.models import Family
from ...headforcing_core.rollout import FinishedChunk
from ...headforcing_core.video import PromptSchedule
from .backbone import config_of
from .digests import digest_of
from .fingerprint import name_of
from .sampling import HostVideo

log = logging.getLogger("headforcing")


@dataclass(frozen=True)
class HostSubject:
    """See ``profiling.Profiled``.

    Args:
        conditioning: the host's, one per prompt.
        about: what it is, as plain values.
    """

    model: ModelPatcher
    family: Family
    size: tuple[int, int]
    conditioning: Sequence[list]
    about: Mapping[str, object]

    @property
    def prompts(self) -> int:
        return len(self.conditioning)

    def key(self, prompt: int) -> str:
        return digest_of([entry[0] for entry in self.conditioning[prompt]])

    def empty_profile(self, settings: ProfileSettings) -> HeadProfile:
        geometry = config_of(self.model.get_model_object("diffusion_model")).geometry
        return HeadProfile(geometry, name_of(self.model), {**self.about, **settings.plain}, ())

    def roll(
        self,
        request: VideoRequest,
        story: PromptSchedule,
        observe: Observer,
        watch: Watch,
        last: int,
    ) -> None:
        def watched(done: FinishedChunk) -> bool:
            watch(len(done.chunk))
            return done.chunk.index == last

        said = {f"p{number}": self.conditioning[number] for number in set(story.texts)}
        schedule = PromptSchedule(story.starts, tuple(f"p{number}" for number in story.texts))
        video = HostVideo(request, schedule, said, watch=watched, observe=observe)
        video.sample(self.model)


def profile_file(profile: HeadProfile) -> Path:
    """Return where the profile of a model, measured like this, is kept: in the user's folder."""
    how = json.dumps(profile.parameters, sort_keys=True, default=str)
    digest = hashlib.sha256(how.encode()).hexdigest()[:8]
    folder = Path(folder_paths.get_user_directory()) / "head_forcing" / "profiles"
    return folder / f"{profile.fingerprint}_{digest}.safetensors"


def keep_profile(file: Path, profile: HeadProfile) -> None:
    """Write a profile to the user's folder, if that can be: it is in the graph all the same."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        clear_leftovers(file)
        write_profile(file, profile)
    except OSError as error:
        log.warning(
            "Head Forcing: the profile is not kept, and will be measured again after a restart: %s",
            error,
        )
