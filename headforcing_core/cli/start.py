"""Latents that a video goes on from, and what made them."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

from torch import Tensor

from ..files import NORMALISED, read_latents, read_settings, read_space
from ..video import ChunkClock, VideoFormat

log = logging.getLogger("headforcing")
# what decides how a video looks whatever its prompt and however its past is kept
COMPARED = ("family", "weights", "seed", "steps", "shift", "sigmas")
# said instead where the file is older than that of the weights
NAMED = ("model", "lora", "lora_strength")


def read_start(path: str, shape: tuple[int, int, int, int], now: Mapping[str, object]) -> Tensor:
    """Read latents to go on from; tell where they were made in another way than what follows.

    Args:
        shape: see ``read_latents``.
        now: what will make the rest, as latent files say it.

    Raises:
        ValueError: if they do not fit, or are not in the space the model works in.
    """
    space = read_space(path)
    if space not in (None, NORMALISED):
        raise ValueError(
            f"latents to start from must be in the space the model works in ({NORMALISED}), got "
            f"{space!r}"
        )
    latents = read_latents(path, shape)
    tell_others(read_settings(path) or {}, now, COMPARED)
    return latents


def tell_others(
    before: Mapping[str, object], now: Mapping[str, object], compared: Sequence[str]
) -> None:
    """Tell where what was made before was made in another way than what follows.

    Args:
        compared: names of what counts; what the former does not say does not.
    """
    names = compared if "weights" in before else (*compared, *NAMED)
    others = [
        f"{name.replace('_', ' ')} {before[name]!r}, not {now[name]!r}"
        for name in names
        if name in before and before[name] != now[name]
    ]
    if others:
        log.warning("going on from latents that were made with %s", "; ".join(others))


def cut_at(latents: Tensor, clock: ChunkClock, second: float, video: VideoFormat) -> Tensor:
    """Return the whole chunks of latents that end by a second; 0: all of them.

    Raises:
        ValueError: if there is none.
    """
    if not second:
        return latents
    wanted = min(latents.shape[2], video.frames_until(second))
    kept = max((chunk.stop for chunk in clock if chunk.stop <= wanted), default=0)
    if not kept:
        raise ValueError(
            f"--from must leave a chunk, {video.moment(next(iter(clock)).stop):g} s, of the "
            f"start at least, got {second:g} s"
        )
    return latents[:, :, :kept]


def settings_of(path: str) -> dict[str, object] | None:
    """Return what made latents, without what those went on from; None if they do not say."""
    settings = read_settings(path)
    return settings and before_that(settings)


def before_that(settings: Mapping[str, object]) -> dict[str, object]:
    """Return settings without those of what they went on from."""
    return {name: value for name, value in settings.items() if name != "start_settings"}
