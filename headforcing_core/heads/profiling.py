"""Measuring where the heads of a model look, while it makes videos."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import torch
from torch import Tensor

from ...kernels import frame_logsumexp, frame_mass
from ..attention import Observer, Read
from ..generation import VideoRequest
from ..models import Family, WanModel, fingerprint
from ..video import ChunkClock, PromptSchedule
from .head_profile import HeadProfile, Return, Sample, joined
from .profile_settings import ProfileSettings, number_from
from .returns import NEEDED, Turns, frames_of_return, measure_return

Watch = Callable[[int], None]


@dataclass
class Profiler:
    """An observer of one rollout in which all heads read the same frames.

    Args:
        prompt, seed: of the video.
        chunks: numbers of those to look at.
        samples: what was measured so far.
    """

    settings: ProfileSettings
    prompt: int
    seed: int
    chunks: list[int]
    samples: list[Sample] = field(default_factory=list)
    _layers: list[tuple[Tensor, Tensor]] = field(default_factory=list)

    def __call__(self, read: Read) -> None:
        chunk = read.opened.own
        if chunk.index not in self.chunks or (read.step is None and not self.settings.clean):
            return
        grid = read.opened.plan.rope.grid
        tokens = grid.tokens_per_frame
        pool, _ = read.opened.pools(read.layer)
        spans, table = read.opened.rows(read.layer)
        step = -1 if read.step is None else read.step
        rows = self.settings.drawn_rows(read.q.shape[1], self.prompt, self.seed, chunk.index, step)
        q = read.q if rows is None else read.q[:, rows.to(read.q.device)]
        mass = frame_mass(frame_logsumexp(q, pool, spans, tokens, table=table)).mean((0, 2))
        # the mean over pairs of tokens of a product is the product of the means
        last = read.q[:, -tokens:].float().mean(1) * read.q.shape[-1] ** -0.5
        keys = torch.stack([pool[:, start : start + n] for start, n in spans], 1)
        keys = keys.unflatten(2, (-1, tokens)).mean(3, dtype=torch.float32)
        scores = torch.einsum("bhd,bhfd->hf", last, keys) / len(last)
        self._layers.append((mass, scores))
        if len(self._layers) == read.opened.plan.geometry.layers:
            self._finish(read)

    def _finish(self, read: Read) -> None:
        frames = [page.at for page in read.opened.pages(read.layer, 0, read.frame)]
        order = sorted(range(len(frames)), key=frames.__getitem__)
        mass, scores = (torch.stack(x)[..., order].cpu() for x in zip(*self._layers, strict=True))
        self._layers.clear()
        chunk = read.opened.own
        self.samples.append(
            Sample(
                self.prompt,
                self.seed,
                chunk.index,
                read.step,
                tuple(frames[at] for at in order),
                len(chunk),
                mass,
                scores,
            )
        )


class Profiled(Protocol):
    """A model that is measured: a checkpoint of our own, or a host's."""

    @property
    def family(self) -> Family:
        """How it is run."""

    @property
    def size(self) -> tuple[int, int]:
        """Latent rows and columns."""

    @property
    def prompts(self) -> int:
        """How many prompts there are."""

    def key(self, prompt: int) -> str:
        """Return what is equal for prompts that are alike, and for no others."""

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


def different(subject: Profiled, most: int = NEEDED) -> list[int]:
    """Return the numbers of prompts that differ from all before them, up to ``most`` of them."""
    found: dict[str, int] = {}
    for prompt in range(subject.prompts):
        found.setdefault(subject.key(prompt), prompt)
        if len(found) == most:
            break
    return list(found.values())


def possible_returns(wanted: int, subject: Profiled) -> int:
    """Return as many returns as are wanted, or none where none can be measured.

    That is on a model whose horizon has no room for turns, and with too few prompts to take them.
    """
    able = Turns.possible(subject.family) and len(different(subject)) == NEEDED
    return wanted if able else 0


def frames_to_make(
    subject: Profiled, settings: ProfileSettings, known: HeadProfile | None = None
) -> int:
    """Return the frames of all videos that are still to be made."""
    clock = ChunkClock.covering(settings.frames, subject.family.frames_per_chunk)
    chunks = list(clock)
    steady = sum(
        chunks[settings.drawn_chunks(clock, *video)[-1]].stop
        for video in settings.videos
        if known is None or video not in known.videos
    )
    done = set() if known is None else known.returning
    back = [video for video in settings.returning if video not in done]
    return steady + (len(back) * frames_of_return(subject.family) if back else 0)


def profiled(
    subject: Profiled,
    settings: ProfileSettings,
    known: HeadProfile | None = None,
    watch: Watch = lambda frames: None,
) -> Iterator[HeadProfile]:
    """Measure a model, video by video; yield the profile as it grows.

    Args:
        known: what was measured before, of the same model and with the same settings; videos that
            are in it are not made again.
        watch: is told the frames of every chunk made.

    Raises:
        ValueError: if there are fewer texts than prompts, or no chunk of a video can be drawn.
    """
    if settings.prompts > subject.prompts:
        raise ValueError(
            f"prompts must be at most the texts there are, {subject.prompts}, "
            f"got {settings.prompts}"
        )
    scenes = different(subject, settings.returns + NEEDED - 1) if settings.returns else []
    if settings.returns and len(scenes) < NEEDED:
        raise ValueError(
            f"returns must be measured with {NEEDED} different prompts or more, which take turns, "
            f"got {len(scenes)}; give more prompts, or set returns to 0"
        )
    profile = subject.empty_profile(settings) if known is None else known
    for prompt, seed in settings.videos:
        if (prompt, seed) in profile.videos:
            continue
        samples = tuple(measure(subject, settings, prompt, seed, watch))
        profile = joined([profile, replace(profile, samples=samples, returns=())])
        yield profile
    for prompt, seed in settings.returning:
        if (prompt, seed) in profile.returning:
            continue
        back = measure_back(subject, settings, scenes, prompt, seed, watch)
        profile = joined([profile, replace(profile, samples=(), returns=(back,))])
        yield profile


def measure(
    subject: Profiled,
    settings: ProfileSettings,
    prompt: int,
    seed: int,
    watch: Watch = lambda frames: None,
) -> list[Sample]:
    """Make one video as far as needed and return what was measured.

    Args:
        prompt, seed: numbers of the video, from 0.
        watch: is told the frames of every chunk made.
    """
    # noise of its own for every video, the same in whatever order they are made
    noise = number_from(settings.seed, prompt, seed) % (1 << 31)
    method = settings.method(subject.family)
    request = VideoRequest(subject.family, settings.frames, *subject.size, noise, method=method)
    profiler = Profiler(settings, prompt, seed, settings.drawn_chunks(request.clock, prompt, seed))
    story = PromptSchedule.constant(prompt)
    subject.roll(request, story, profiler, watch, profiler.chunks[-1])
    return profiler.samples


def measure_back(
    subject: Profiled,
    settings: ProfileSettings,
    scenes: Sequence[int],
    prompt: int,
    seed: int,
    watch: Watch,
) -> Return:
    """Let something come back, and return what was measured; see ``measure_return``.

    Args:
        scenes: numbers of prompts that differ.
        prompt: which of them it begins with, counted round.
    """

    def film(request: VideoRequest, story: PromptSchedule, chunks: list[int]) -> list[Sample]:
        profiler = Profiler(settings, prompt, seed, chunks)
        subject.roll(request, story, profiler, watch, chunks[-1])
        return profiler.samples

    noise = number_from(settings.seed, prompt, seed, "returns") % (1 << 31)
    return measure_return(subject.family, subject.size, scenes, prompt, seed, noise, film)
