"""Run a rollout to a file: progress while it runs, and whatever it finished when it ends."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor

from ..attention import served_by
from ..files import save_or_rescue, write_latents
from ..reel import KeptChunks
from ..rollout import Begun, FinishedChunk
from ..stopping import to_the_end, undisturbed
from ..video import VideoFormat
from .progress import AnyRollout, progress

log = logging.getLogger("headforcing")
# a killed process loses at most this much of its work, in seconds
SAVE_EVERY = 60.0


class Account(Protocol):
    """What is said of a run, and where its chunks are kept. Both change on the way, where it
    becomes a run of another video.

    Args:
        settings: what made the latents, for the file's metadata.
        kept: None: chunks are not kept one by one.
    """

    settings: Mapping[str, object]
    kept: KeptChunks | None


@dataclass(frozen=True)
class Plain:
    """The account of a run that stays what it is."""

    settings: Mapping[str, object]
    kept: KeptChunks | None = None


@dataclass
class Recording:
    """The finished chunks of a video, and the file they are kept in.

    Args:
        out: a safetensors file, replaced whole; None: latents are not kept.
        account: of the run.
        total_frames: frames of the complete video.
    """

    out: Path | None
    account: Account
    total_frames: int
    frames: int = 0
    latents: list[Tensor] = field(default_factory=list)
    chunk_seconds: list[float] = field(default_factory=list)

    def add(self, latent: Tensor) -> None:
        self.frames += latent.shape[2]
        if self.out is not None:
            self.latents.append(latent.cpu())

    def save(self, out: Path) -> None:
        done = {"frames": self.frames, "complete": self.frames == self.total_frames}
        write_latents(out, torch.cat(self.latents, 2), {**self.account.settings, **done})

    def save_or_go_on(self) -> None:
        """Save while running; a full disk is no reason to stop, it may be mended meanwhile."""
        if self.out is None:
            return
        try:
            self.save(self.out)
        except OSError as error:
            log.warning("not saved yet: %s", error)

    def close(self) -> None:
        """Save for good, elsewhere if the place for it is gone; an interrupt waits for it.

        Raises:
            OSError: if the latents are not where they were meant to be; it says where they are.
        """
        if not self.frames:
            log.info("no chunk was finished, nothing is written")
        if self.out is None or not self.frames:
            return
        to_the_end(lambda: save_or_rescue(self.save, self.out, "the latents"))
        log.info("wrote %d of %d latent frames to %s", self.frames, self.total_frames, self.out)


def record(
    rollout: AnyRollout,
    out: Path | None,
    account: Account,
    video: VideoFormat,
    given: Tensor | Begun | None = None,
    watch: Callable[[FinishedChunk], None] | None = None,
) -> Recording:
    """Run a rollout and write its latents, if they are to be, every minute and however it ends.

    ``watch`` sees every chunk once it is safe, and its time is not the chunk's. Where there is a
    place for them every chunk is ``kept`` at once, so that a killed run goes on.

    After an error or Ctrl-C the file holds the finished chunks, and says that it is not complete.

    Raises:
        ValueError: if ``given`` does not fit the rollout.
        RuntimeError: if a chunk comes out as NaN or infinite.
    """
    chunks = progress(rollout, given)
    _announce(rollout, video)
    recording = Recording(out, account, rollout.clock.total_frames)
    before = saved = time.perf_counter()
    try:
        with closing(chunks):  # the bar ends before anything else is said
            for done in chunks:
                _check_finite(done.latent, done.chunk.start)
                recording.add(done.latent)
                if account.kept is not None:
                    _keep(account.kept, done)
                recording.chunk_seconds.append(time.perf_counter() - before)
                if watch is not None:
                    watch(done)
                if time.perf_counter() - saved >= SAVE_EVERY:
                    recording.save_or_go_on()
                    saved = time.perf_counter()
                before = time.perf_counter()
    finally:
        recording.close()
    return recording


def _keep(kept: KeptChunks, done: FinishedChunk) -> None:
    """Keep a chunk; a full disk is no reason to stop, it may be mended meanwhile."""
    first = not kept.waiting
    try:
        with undisturbed():
            kept.write(*done)
    except OSError as error:
        if first:
            log.warning("not kept yet: %s", error)


def _announce(rollout: AnyRollout, video: VideoFormat) -> None:
    clock, plan = rollout.clock, rollout.bank.plan
    log.info(
        "%d latent frames (%d pictures, %.1f s) in %d chunks; %d tokens per frame; a head sees at "
        "most %d frames; caches %.1f MiB%s, read by %s",
        clock.total_frames,
        video.pixel_frames(clock.total_frames),
        video.seconds(clock.total_frames),
        len(clock),
        plan.rope.grid.tokens_per_frame,
        plan.seen,
        plan.bytes / 2**20,
        f" and {plan.host_bytes / 2**20:.1f} MiB with the host" if plan.host_bytes else "",
        served_by(rollout.bank, rollout.context.dense),
    )
    if plan.seen > plan.horizon:
        log.warning(
            "a head sees %d frames, the model was trained on %d: expect worse pictures",
            plan.seen,
            plan.horizon,
        )


def _check_finite(latent: Tensor, frame: int) -> None:
    # everything after a NaN would be lost too, and hours later
    if not torch.isfinite(latent).all():
        raise RuntimeError(
            f"latents must stay finite, got NaN or infinity from frame {frame} on; the dtype may "
            "be too narrow for this model: try float32 or bfloat16"
        )
