"""The clips the demo model learns from, as latents and words."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import cache, partial
from multiprocessing import get_context
from typing import NamedTuple

import torch
from torch import Tensor
from tqdm import tqdm

from ..networks import FAMILY, Autoencoder, tokenise
from ..world import HELD_OUT, Clip, draw, generator, random_story, scene_at

CHUNK = FAMILY.frames_per_chunk
FRAMES = FAMILY.horizon
CHUNKS = FRAMES // CHUNK
# how often a clip's prompt changes never, once, twice
CHANGES = (0.3, 0.4, 0.3)
PART = 250
# how many clips the shipped model was trained on
TRAINED_ON = 24_000


class Clips(NamedTuple):
    """latents: ``[N, 16, FRAMES, 8, 8]`` float16. words: ``[N, CHUNKS, TOKENS]`` int16."""

    latents: Tensor
    words: Tensor


def random_clip(seed: int) -> Clip:
    """Draw a clip whose prompt may change where a chunk begins."""
    rng = generator(seed, 0)
    count = int(rng.choice(len(CHANGES), p=CHANGES))
    starts = sorted(CHUNK * (1 + int(i)) for i in rng.permutation(CHUNKS - 1)[:count])
    return Clip(seed, random_story(rng, starts), FRAMES)


def words_of(clip: Clip) -> list[list[int]]:
    """Return the words that rule each chunk, ``[CHUNKS][TOKENS]``."""
    return [tokenise(scene_at(clip.story, frame).text) for frame in range(0, FRAMES, CHUNK)]


@cache
def trained_prompts(clips: int = TRAINED_ON) -> frozenset[str]:
    """Return every prompt that is said in the clips a model is trained on."""
    return frozenset(cut.scene.text for n in range(clips) for cut in random_clip(n).story)


def make_clips(autoencoder: Autoencoder, count: int, workers: int, first_seed: int = 0) -> Clips:
    """Draw and encode clips, on ``workers`` processes, under a progress bar.

    Raises:
        ValueError: if the clips would reach into those that are held out.
    """
    if first_seed + count > HELD_OUT:
        raise ValueError(f"clips must be fewer than {HELD_OUT - first_seed}, got {count}")
    parts = [range(a, min(a + PART, count)) for a in range(0, count, PART)]
    make = partial(_part, autoencoder, first_seed)
    with tqdm(total=count, unit="clip", desc="drawing clips") as bar:
        done = []
        for part in _spread(make, parts, workers):
            done.append(part)
            bar.update(len(part.latents))
    return Clips(torch.cat([p.latents for p in done]), torch.cat([p.words for p in done]))


def _spread(make: partial, parts: list[range], workers: int) -> Iterator[Clips]:
    # spawned: forking a process in which torch has threads can hang
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        yield from pool.map(make, parts)


def _part(autoencoder: Autoencoder, first_seed: int, numbers: range) -> Clips:
    torch.set_num_threads(1)
    clips = [random_clip(first_seed + number) for number in numbers]
    latents = torch.cat([autoencoder.encode(draw(clip)[None]).half() for clip in clips])
    return Clips(latents, torch.tensor([words_of(clip) for clip in clips], dtype=torch.int16))
