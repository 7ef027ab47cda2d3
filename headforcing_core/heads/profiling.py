"""Measuring where the heads of a model look, while it makes videos."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from ...kernels import frame_logsumexp, frame_mass
from ..attention import Read
from ..generation import VideoRequest
from ..video import PromptSchedule
from .head_profile import HeadProfile, Return, Sample, joined
from .profile_settings import ProfileSettings, number_from
from .profile_videos import Video, check_texts, scenes_of, videos_to_make
from .returns import measure_return
from .subject import Profiled, Watch

# of a video: samples, or the return of something
Found = tuple[Sample, ...] | Return


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
        (of_layer,) = read.opened.reads(read.layer)
        pool, (spans, table) = of_layer.k, of_layer.rows
        step = -1 if read.step is None else read.step
        rows = self.settings.drawn_rows(read.q.shape[1], self.prompt, self.seed, chunk.index, step)
        q = read.q if rows is None else read.q[:, rows.to(read.q.device)]
        mass = frame_mass(frame_logsumexp(q, pool, spans, tokens, table=table)).mean((0, 2))
        # the mean over pairs of tokens of a product is the product of the means
        last = read.q[:, -tokens:].float().mean(1) * read.q.shape[-1] ** -0.5
        each = (pool[:, start : start + n].unflatten(1, (-1, tokens)) for start, n in spans)
        keys = torch.stack([frames.mean(2, dtype=torch.float32) for frames in each], 1)
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
    check_texts(subject, settings)
    profile = subject.empty_profile(settings) if known is None else known
    for video in videos_to_make(settings, known):
        profile = with_found(profile, measured(subject, settings, video, watch))
        yield profile


def measured(
    subject: Profiled,
    settings: ProfileSettings,
    video: Video,
    watch: Watch = lambda frames: None,
) -> Found:
    """Make one video, and return what was measured."""
    if video.returns:
        scenes = scenes_of(subject, settings)
        return measure_back(subject, settings, scenes, video.prompt, video.seed, watch)
    return tuple(measure(subject, settings, video.prompt, video.seed, watch))


def with_found(profile: HeadProfile, found: Found) -> HeadProfile:
    """Return a profile with what was measured of another video, whichever came first."""
    back = isinstance(found, Return)
    part = replace(profile, samples=() if back else found, returns=(found,) if back else ())
    return joined([profile, part])


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
    request = settings.request(subject.family, subject.size, noise)
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
