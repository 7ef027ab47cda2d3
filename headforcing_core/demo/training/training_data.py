"""The clips the demo model learns from, as latents and words."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import cache, partial
from multiprocessing import get_context
from typing import NamedTuple

import torch
from torch import Tensor
from tqdm import tqdm

from ..networks import FAMILY, Autoencoder, tokenise
from ..world import (
    HELD_OUT,
    NARROW,
    WIDE,
    Clip,
    Shades,
    draw,
    generator,
    random_story,
    returning_story,
    returns_at,
    scene_at,
)

CHUNK = FAMILY.frames_per_chunk
FRAMES = FAMILY.horizon
CHUNKS = FRAMES // CHUNK
# how often a clip's prompt changes never, once, twice
CHANGES = (0.3, 0.4, 0.3)
PART = 250
# how many clips the shipped model was trained on: to draw, and then to remember
TRAINED_ON, REMEMBERED_FROM = 24_000, 12_000
# seed of the first clip to remember from
RETURNING = 1_000_000
# of those clips: something leaves and comes back
RETURNS = 0.6
# how much more a chunk counts in which something comes back
BACK = 3.0


class Clips(NamedTuple):
    """What is learned from.

    latents: ``[N, 16, FRAMES, 8, 8]`` float16. words: ``[N, CHUNKS, TOKENS]`` int16. weights:
    ``[N, CHUNKS]`` float32, how much each chunk counts.
    """

    latents: Tensor
    words: Tensor
    weights: Tensor


def random_clip(seed: int, shades: Shades = NARROW) -> Clip:
    """Draw a clip whose prompt may change where a chunk begins."""
    rng = generator(seed, 0)
    count = int(rng.choice(len(CHANGES), p=CHANGES))
    starts = sorted(CHUNK * (1 + int(i)) for i in rng.permutation(CHUNKS - 1)[:count])
    return Clip(seed, random_story(rng, starts), FRAMES, shades)


def returning_clip(seed: int) -> Clip:
    """Draw a clip of wide shades in which, more often than not, something comes back."""
    rng = generator(seed, 5)
    if rng.random() >= RETURNS:
        return random_clip(seed, WIDE)
    return Clip(seed, returning_story(rng, CHUNKS, CHUNK), FRAMES, WIDE)


def words_of(clip: Clip) -> list[list[int]]:
    """Return the words that rule each chunk, ``[CHUNKS][TOKENS]``."""
    return [tokenise(scene_at(clip.story, frame).text) for frame in range(0, FRAMES, CHUNK)]


def weights_of(clip: Clip) -> list[float]:
    """Return how much each chunk counts, ``[CHUNKS]``."""
    starts = range(0, FRAMES, CHUNK)
    return [BACK if returns_at(clip.story, start) else 1.0 for start in starts]


@cache
def trained_prompts() -> frozenset[str]:
    """Return every prompt that is said in the clips the shipped model was trained on."""
    drawn = map(random_clip, range(TRAINED_ON))
    remembered = map(returning_clip, range(RETURNING, RETURNING + REMEMBERED_FROM))
    return frozenset(cut.scene.text for clip in (*drawn, *remembered) for cut in clip.story)


def make_clips(
    autoencoder: Autoencoder,
    count: int,
    workers: int,
    first_seed: int = 0,
    draw_clip: Callable[[int], Clip] = random_clip,
) -> Clips:
    """Draw and encode clips, on ``workers`` processes, under a progress bar.

    Args:
        draw_clip: ``random_clip`` or ``returning_clip``.

    Raises:
        ValueError: if the clips would reach into those that are held out.
    """
    if first_seed + count > HELD_OUT:
        raise ValueError(f"clips must be fewer than {HELD_OUT - first_seed}, got {count}")
    parts = [range(a, min(a + PART, count)) for a in range(0, count, PART)]
    make = partial(_part, autoencoder, draw_clip, first_seed)
    with tqdm(total=count, unit="clip", desc="drawing clips") as bar:
        done = []
        for part in _spread(make, parts, workers):
            done.append(part)
            bar.update(len(part.latents))
    return Clips(*(torch.cat(parts) for parts in zip(*done, strict=True)))


def _spread(make: partial, parts: list[range], workers: int) -> Iterator[Clips]:
    # spawned: forking a process in which torch has threads can hang
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        yield from pool.map(make, parts)


def _part(
    autoencoder: Autoencoder,
    draw_clip: Callable[[int], Clip],
    first_seed: int,
    numbers: range,
) -> Clips:
    torch.set_num_threads(1)
    clips = [draw_clip(first_seed + number) for number in numbers]
    return Clips(
        torch.cat([autoencoder.encode(draw(clip)[None]).half() for clip in clips]),
        torch.tensor([words_of(clip) for clip in clips], dtype=torch.int16),
        torch.tensor([weights_of(clip) for clip in clips]),
    )
