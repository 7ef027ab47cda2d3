"""What is profiled: a model, its prompts, and how it makes a video that is watched."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor

from ..attention import Observer
from ..generation import VideoRequest
from ..models import Family, WanModel, fingerprint
from ..video import PromptSchedule
from .head_profile import HeadProfile
from .profile_settings import ProfileSettings

Watch = Callable[[int], None]


class Prompted(Protocol):
    """A model with prompts, loaded or not."""

    @property
    def family(self) -> Family:
        """How it is run."""

    @property
    def prompts(self) -> int:
        """How many prompts there are."""

    def key(self, prompt: int) -> str:
        """Return what is equal for prompts that are alike, and for no others."""


class Profiled(Prompted, Protocol):
    """A model that is measured: a checkpoint of our own, or a host's."""

    @property
    def size(self) -> tuple[int, int]:
        """Latent rows and columns."""

    def empty_profile(self, settings: ProfileSettings) -> HeadProfile:
        """Return the profile of this model before anything is measured."""

    def roll(
        self,
        request: VideoRequest,
        story: PromptSchedule,
        observe: Observer,
        watch: Watch,
        last: int,
    ) -> None:
        """Make a video up to chunk number ``last``. The story's prompts are their numbers."""


@dataclass(frozen=True)
class Subject:
    """A model of our own that is profiled.

    Args:
        size: latent rows and columns.
        texts: embeddings ``[1, S, text_dim]``, one per prompt.
        about: what it is, as plain values; parts of one profile agree on it.
    """

    model: WanModel
    family: Family
    size: tuple[int, int]
    texts: Sequence[Tensor]
    about: Mapping[str, object]

    @property
    def prompts(self) -> int:
        return len(self.texts)

    def key(self, prompt: int) -> str:
        return fingerprint({"text": self.texts[prompt]})

    def empty_profile(self, settings: ProfileSettings) -> HeadProfile:
        parameters = {**self.about, **settings.plain}
        name = fingerprint(self.model.state_dict())
        return HeadProfile(self.model.config.geometry, name, parameters, ())

    def roll(
        self,
        request: VideoRequest,
        story: PromptSchedule,
        observe: Observer,
        watch: Watch,
        last: int,
    ) -> None:
        text = PromptSchedule(story.starts, tuple(self.texts[number] for number in story.texts))
        for done in request.rollout(self.model, text, observe).run():
            watch(len(done.chunk))
            if done.chunk.index == last:
                return
