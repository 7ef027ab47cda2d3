"""Rollouts of several methods side by side, chunk by chunk in turns."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ...generation import VideoRequest
from ...video import ChunkClock, PromptSchedule
from ..networks import FAMILY, LATENT_SIDE, DemoModel
from ..world import Story
from .methods import Compared


@dataclass(frozen=True)
class Rolled:
    """What one method made of a batch of stories.

    Args:
        latents: ``[B, C, F, Y, X]``, on the CPU.
        seconds: of every chunk, for the whole batch.
    """

    method: Compared
    latents: Tensor
    seconds: tuple[float, ...]


def request_for(compared: Compared, frames: int, seed: int) -> VideoRequest:
    """Return the request of a video of the demo model that a method remembers."""
    # a video is whole chunks, and "every frame" means those
    frames = len(ChunkClock.covering(frames, FAMILY.frames_per_chunk)) * FAMILY.frames_per_chunk
    size = (LATENT_SIDE, LATENT_SIDE)
    method, head_map = compared.method, compared.head_map
    return VideoRequest(FAMILY, frames, *size, seed, method=method, head_map=head_map)


def schedule(model: DemoModel, stories: Sequence[Story]) -> PromptSchedule:
    """Encode stories whose scenes change at the same frames; the batch is the stories."""
    starts = tuple(cut.start for cut in stories[0])
    if any(tuple(cut.start for cut in story) != starts for story in stories):
        raise ValueError("stories of one batch must change at the same frames")
    texts = [[story[i].scene.text for story in stories] for i in range(len(starts))]
    return PromptSchedule(starts, tuple(model.text_encoder.encode(text) for text in texts))


def finished(
    run: Generator[int, None, list[Rolled]], watch: Callable[[int], None] = lambda frames: None
) -> list[Rolled]:
    """Run to the end and return what was made; ``watch`` is told the frames of every chunk."""
    while True:
        try:
            watch(next(run))
        except StopIteration as end:
            return end.value


def roll_side_by_side(
    model: DemoModel,
    stories: Sequence[Story],
    methods: Sequence[Compared],
    frames: int,
    seed: int,
) -> Generator[int, None, list[Rolled]]:
    """Run every method on the same stories and noise.

    A chunk of each in turn, so that a slow moment of the machine falls on all of them. A method
    that chooses what it keeps by what it shows makes the videos one by one.

    Yields:
        The number of frames of each chunk made.

    Returns:
        What was made, one entry per method.
    """
    requests = [request_for(method, frames, seed) for method in methods]
    runs = [
        [
            request.rollout(model.wan, schedule(model, share), entry=entry).run()
            for entry, share in enumerate(
                [[s] for s in stories] if method.one_by_one else [stories]
            )
        ]
        for method, request in zip(methods, requests, strict=True)
    ]
    latents: list[list[Tensor]] = [[] for _ in methods]
    seconds: list[list[float]] = [[] for _ in methods]
    for _ in requests[0].clock:
        for number, run in enumerate(runs):
            begin = time.perf_counter()
            latent = torch.cat([next(videos).latent.cpu() for videos in run])
            seconds[number].append(time.perf_counter() - begin)
            latents[number].append(latent)
            yield latent.shape[2]
    return [
        Rolled(method, torch.cat(made, 2)[:, :, :frames], tuple(times))
        for method, made, times in zip(methods, latents, seconds, strict=True)
    ]
