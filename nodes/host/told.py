"""A video in the words of its graph: what it is told at first, and on the way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from comfy.model_patcher import ModelPatcher
from torch import Tensor

from ...headforcing_core.generation import VideoRequest
from ...headforcing_core.reel import GIVEN, about_video
from ...headforcing_core.video import Chunk, LivePrompt, PromptSchedule, plan_text, schedule_of
from ..graph import EncodedPrompts, SteeredGraph
from .checks import check_prompts
from .host_film import said_of
from .pictures import HostDecoder
from .recoder import check_recoder
from .steering import STEERED
from .video_name import Video, names_of


@dataclass(frozen=True)
class Told:
    """A video, and where its words come from.

    Args:
        given: latent of first frames.
        hidden: the sampler's hidden inputs: the graph, which outputs are saved with.
        node: the sampler, as the host names it.
    """

    model: ModelPatcher
    request: VideoRequest
    prompts: EncodedPrompts
    given: Tensor | None
    decoder: HostDecoder | None
    hidden: Any
    node: str | None

    @cached_property
    def said(self) -> EncodedPrompts:
        """The prompts as models of this family are told them.

        Raises:
            ValueError: if they are none, or not this model's.
        """
        said = self.prompts.told(self.request.family)
        check_prompts(said.conditioning, self._network.text_dim)
        return said

    @property
    def plan(self) -> str:
        """Which prompt rules from when to when."""
        request = self.request
        return plan_text(self.said.prompts, request.clock, request.family.video)

    @cached_property
    def video(self) -> Video:
        check_recoder(self.request, self.decoder)
        schedule, every = self._schedule
        return Video(self.model, self.request, schedule, every, self.given, self.decoder)

    @property
    def about(self) -> dict[str, object]:
        """What the file says of how it is made."""
        request, said = self.request, self.said
        texts, form = said.prompts if said.known else (), request.family.video
        # without what the model is told in between
        starts = schedule_of(texts, texts, request.clock, form).starts if texts else ()
        starts = [form.moment(start) for start in starts]
        given = 0 if self.given is None else self.given.shape[2]
        settings = {**request.settings, GIVEN: given}
        sizes = self._network.in_dim, request.clock.total_frames
        return about_video(settings, *sizes, texts, starts, self.video.name)

    @property
    def metadata(self) -> Mapping[str, str]:
        """All that the file says."""
        return said_of(self.hidden, self.about)

    @property
    def graph(self) -> SteeredGraph:
        return SteeredGraph(self.hidden.prompt, self.hidden.extra_pnginfo, self.node)

    def begin(self) -> None:
        """See ``SteeredGraph``."""
        written = self.prompts.written
        self.graph.begin(None if written is None else written.text)

    def check(self, live: LivePrompt) -> None:
        """Refuse a prompt that cannot be told on the way.

        Raises:
            ValueError: if it is one.
        """
        if self.prompts.written is None or self.prompts.encode is None:
            raise ValueError(
                "prompts must come from Prompt Schedule to be told on the way, got CONDITIONING, "
                "whose words are not known"
            )
        if live.cut and self.request.family.joint:
            raise ValueError(
                f"{self.request.family.title} denoises chunks together: where scenes begin must be "
                "known from the beginning, got a cut on the way; put it into the schedule"
            )
        self.graph.check()

    def steered(self, live: LivePrompt, chunk: Chunk) -> Told:
        """Return the video that this one becomes with a prompt that a chunk takes.

        Raises:
            ValueError: if it cannot be told, or its encoder gives none for this model.
            RuntimeError: if there is no room for its encoder.
        """
        self.check(live)
        clock, form = self.request.clock, self.request.family.video
        other = replace(self, prompts=self.prompts.steered(live, chunk.start, clock, form))
        vars(other)["video"] = self.video.saying(*other._schedule)
        return other

    def turned(self) -> None:
        """Say in the graph what is said now; the host forgets what it knew this node to make.

        Raises:
            ValueError: see ``check``.
        """
        graph = self.graph
        graph.write(self.prompts.written.text)
        STEERED.add(self.hidden.prompt[self.node]["inputs"])

    @property
    def _network(self) -> Any:
        return self.model.get_model_object("diffusion_model")

    @property
    def _schedule(self) -> tuple[PromptSchedule, tuple[list, ...]]:
        """The schedule in names of prompts, and the conditioning of each."""
        said, clock = self.said, self.request.clock
        every = (*said.conditioning, *said.shots.values())
        names = names_of(every)
        own, shots = names[: len(said.prompts)], names[len(said.prompts) :]
        schedule = schedule_of(said.prompts, own, clock, self.request.family.video)
        begins = dict(zip(said.shots, shots, strict=True))
        return schedule.with_shots(list(clock), begins), every
