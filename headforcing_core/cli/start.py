"""Latents that a video goes on from, and what made them."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from torch import Tensor

from ..files import NORMALISED, read_latents, read_settings, read_space

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
    before = read_settings(path) or {}
    names = COMPARED if "weights" in before else (*COMPARED, *NAMED)
    others = [
        f"{name.replace('_', ' ')} {before[name]!r}, not {now[name]!r}"
        for name in names
        if name in before and before[name] != now[name]
    ]
    if others:
        log.warning("going on from latents that were made with %s", "; ".join(others))
    return latents


def settings_of(path: str) -> dict[str, object] | None:
    """Return what made latents, without what those went on from; None if they do not say."""
    settings = read_settings(path)
    return settings and {n: x for n, x in settings.items() if n != "start_settings"}
