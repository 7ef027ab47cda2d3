"""Run a rollout to a file: progress while it runs, and whatever it finished when it ends."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from ..families import WAN_VIDEO
from ..latent_file import write_latents
from ..rollout import Rollout
from .progress import progress

log = logging.getLogger("headforcing")


# a killed process loses at most this much of its work, in seconds
SAVE_EVERY = 60.0


class Recording(NamedTuple):
    """latents: ``[B, C, F, Y, X]`` float32; chunk_seconds: wall time of each chunk."""

    latents: Tensor
    chunk_seconds: list[float]


def record(
    rollout: Rollout, out: Path, settings: Mapping[str, object], given: Tensor | None = None
) -> Recording:
    """Run a rollout and write its latents, every minute and however it ends.

    After an error or Ctrl-C the file holds the finished chunks, and says that it is not complete.

    Args:
        out: a safetensors file, replaced whole.
        settings: what made the latents, for the file's metadata.
        given: see ``Rollout.run``.

    Raises:
        RuntimeError: if a chunk comes out as NaN or infinite.
    """
    _announce(rollout)
    total_frames = rollout.clock.total_frames
    finished: list[Tensor] = []
    seconds: list[float] = []

    def save() -> Tensor:
        latents = torch.cat(finished, 2)
        frames = latents.shape[2]
        done = {"frames": frames, "complete": frames == total_frames}
        write_latents(out, latents, {**settings, **done})
        return latents

    before = saved = time.perf_counter()
    try:
        for chunk, latent in progress(rollout, given):
            _check_finite(latent, chunk.start)
            finished.append(latent.float().cpu())
            now = time.perf_counter()
            seconds.append(now - before)
            if now - saved >= SAVE_EVERY:
                save()
                saved = time.perf_counter()
            before = time.perf_counter()
    finally:
        if finished:
            latents = save()
            log.info("wrote %d of %d latent frames to %s", latents.shape[2], total_frames, out)
        else:
            log.info("no chunk was finished, nothing is written")
    return Recording(latents, seconds)


def _announce(rollout: Rollout) -> None:
    clock, plan = rollout.clock, rollout.bank.plan
    log.info(
        "%d latent frames (%d pictures, %.1f s) in %d chunks; %d tokens per frame; a head sees %d "
        "frames, %s positions; caches %.1f MiB",
        clock.total_frames,
        WAN_VIDEO.pixel_frames(clock.total_frames),
        WAN_VIDEO.seconds(clock.total_frames),
        len(clock),
        plan.rope.grid.tokens_per_frame,
        plan.slots,
        plan.positions.value,
        plan.bytes / 2**20,
    )


def _check_finite(latent: Tensor, frame: int) -> None:
    # everything after a NaN would be lost too, and hours later
    if not torch.isfinite(latent).all():
        raise RuntimeError(
            f"latents must stay finite, got NaN or infinity from frame {frame} on; the dtype may "
            "be too narrow for this model: try float32 or bfloat16"
        )
