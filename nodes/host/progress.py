"""What users see of a run, and what is kept of it."""

from __future__ import annotations

import logging
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import latent_preview
import torch
from comfy.latent_formats import LatentFormat
from comfy.utils import ProgressBar
from comfy_execution.utils import get_executing_context
from latent_preview import LatentPreviewer
from torch import Tensor

from ...headforcing_core.rollout import FinishedChunk
from . import unfinished
from .unfinished import Video

log = logging.getLogger("headforcing")
# a host that dies loses at most this much of its work, in seconds
SAVE_EVERY = 60.0


def _quick_previewer(latents: LatentFormat) -> LatentPreviewer | None:
    """Return what shows latents where a host was asked for no previews, as it is by default.

    A video of minutes is not to be waited for blind.
    """
    if latents.latent_rgb_factors is None:
        return None
    factors = latents.latent_rgb_factors, latents.latent_rgb_factors_bias
    reshape = getattr(latents, "latent_rgb_factors_reshape", None)
    return latent_preview.Latent2RGBPreviewer(*factors, reshape)


@dataclass
class Progress:
    """Follows one run: bar, previews, a line of text on the node, and the file of its chunks.

    The file is written every minute and when the run ends early; a run that ends well takes it
    away.

    Args:
        given: first frames that are there already: they are committed, not made.
        path: of the file, if there is one.
        kept: latent frames in it.
    """

    video: Video
    given: int = 0
    path: Path | None = None
    kept: int = 0
    chunks: list[Tensor] = field(default_factory=list)

    def __post_init__(self) -> None:
        _ = self.video.name  # now: naming a model takes off what a run has put on it
        request = self.video.request
        made = sum(chunk.stop > self.given for chunk in request.clock)
        self.total = len(request.clock) + made * len(request.family.levels)
        self.done, self.begin, self.made = 0, time.monotonic(), 0
        self.saved = self.begin
        self._bar = ProgressBar(self.total)
        model = self.video.model
        self._chosen = latent_preview.get_previewer(model.load_device, model.model.latent_format)
        self._quick = None if self._chosen else _quick_previewer(model.model.latent_format)

    def called(self, clean: Tensor) -> None:
        """Count a model call, and show its newest frame where previews were asked for."""
        # a new prompt may have the recent past computed again: those calls are not in the total
        self.done = min(self.done + 1, self.total)
        self._show(self._chosen, clean)

    def _show(self, previewer: LatentPreviewer | None, clean: Tensor) -> None:
        picture = None
        if previewer is not None:
            picture = previewer.decode_latent_to_preview_image("JPEG", clean[:, :, -1:])
        self._bar.update_absolute(self.done, self.total, picture)

    def finished(self, done: FinishedChunk) -> None:
        """Keep a chunk, say how long the rest will take, and save what there is once a minute.

        Raises:
            RuntimeError: if the chunk is NaN or infinite: all that follows would be too.
        """
        latent = done.latent.cpu()
        if not torch.isfinite(latent).all():
            raise RuntimeError(
                f"latents must stay finite, got NaN or infinity from frame {done.chunk.start} on; "
                "the dtype may be too narrow for this model: load it as bf16"
            )
        self.chunks.append(latent)
        if self._quick is not None:  # once per chunk: a look at every call would wait for the GPU
            self._show(self._quick, latent)
        now = time.monotonic()
        if done.chunk.stop <= self.given:
            self.begin = self.saved = now
            return
        self.made += 1
        self._say((now - self.begin) / self.made)
        if now - self.saved >= SAVE_EVERY:
            self.saved = now
            try:
                unfinished.write(self._place(), self.video, self._latent())
            except OSError as error:  # perhaps mended before the run ends
                log.warning("Head Forcing: not saved yet: %s", error)

    def ended(self, well: bool) -> None:
        """Take the file away after a run that ended well; write what is finished of another."""
        if well:
            # a shorter video of the same frames leaves what a longer one has begun
            if self.path is not None and self.video.request.clock.total_frames >= self.kept:
                with suppress(OSError):  # the video is done; what is left over may stay
                    self.path.unlink(missing_ok=True)
        elif self.made:
            self._keep()

    def _keep(self) -> None:
        """Write what is finished; what ended the run is the error to show, not a full disk."""
        try:
            path = unfinished.write_somewhere(self._place(), self.video, self._latent())
        except OSError as error:
            log.error("Head Forcing: what is finished could not be saved: %s", error)
            return
        log.warning(
            "Head Forcing: stopped after %d of %d chunks; they are in %s. The same video goes "
            "on from there when it is queued again",
            *(len(self.chunks), len(self.video.request.clock), path),
        )

    def _say(self, each: float) -> None:
        """Tell how far the run is, in the log and on the node."""
        chunks, number = len(self.video.request.clock), len(self.chunks)
        left = each * (chunks - number)
        text = f"chunk {number} of {chunks}, {each:.2f} s each, {left:.0f} s left"
        log.info("Head Forcing: %s", text)
        context = get_executing_context()
        if context is not None:
            from server import PromptServer  # there is one where a node runs, not in every script

            PromptServer.instance.send_progress_text(text, context.node_id)

    def _place(self) -> Path:
        if self.path is None:
            self.path = unfinished.new_path()
        return self.path

    def _latent(self) -> Tensor:
        return self.video.model.model.process_latent_out(torch.cat(self.chunks, 2))
