"""A run on its way: what is kept and shown of it, also when it becomes another video."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from ...headforcing_core.reel import KeptChunks, Reel
from ...headforcing_core.video import Chunk, LivePrompt
from .progress import Progress
from .sampling import Said
from .steering import STEERING
from .told import Told
from .unfinished import Unfinished
from .video_name import Video, names_of

log = logging.getLogger("headforcing")
# a prompt that is none, no room for its encoder, and what else encoders of other packs may raise: a
# run of hours is not to end of it. What stops a run is none of these.
REFUSED = (
    *(ArithmeticError, AssertionError, AttributeError, ImportError, LookupError, MemoryError),
    *(OSError, RuntimeError, TypeError, ValueError),
)


@dataclass
class RunOnTheWay:
    """A run of one video. A prompt that is told on the way makes it a run of another one, whose
    schedule has that prompt: the very video that this schedule makes when it is queued.

    Args:
        told: where its words come from; None: nobody tells others.
        left: where its parts are kept.
        chunks: that are finished.
        reel: shows them.
        progress: follows the run.
    """

    video: Video
    told: Told | None
    left: Unfinished
    chunks: KeptChunks
    reel: Reel | None
    progress: Progress

    def steer(self, chunk: Chunk) -> Said | None:
        """Let a chunk take the prompt that waits, if there is one.

        What goes wrong with it is said to who asked, and the run goes on as it was.

        Returns:
            what is said now; None: nothing was asked.
        """
        waiting = STEERING.taken()
        if waiting is None or self.told is None:
            return None
        try:
            if self.reel is not None:  # its decoder may have to give way to the text encoder
                self.reel.settle()
            try:
                told = self.told.steered(waiting.live, chunk)
            except REFUSED as error:
                log.warning("Head Forcing: a live prompt was not taken: %s", error)
                waiting.receipt.set_exception(ValueError(_sentence(error)))
            else:
                waiting.receipt.set_result(self._turn(told, waiting.live, chunk))
        finally:
            if not waiting.receipt.done():
                waiting.receipt.set_exception(ValueError("the run must go on, got its end"))
        return self.said

    @property
    def said(self) -> Said:
        video = self.video
        names = names_of(video.conditioning)
        return video.prompts, dict(zip(names, video.conditioning, strict=True))

    def _turn(self, told: Told, live: LivePrompt, chunk: Chunk) -> Mapping[str, Any]:
        """Become the video with a prompt; return the receipt. Nothing is refused any more."""
        text, planned = told.prompts.written.text, self.told.prompts.written.text
        told.turned()
        self._move(told)
        form, clock = told.request.family.video, told.request.clock
        receipt = {
            "chunk": chunk.index + 1,
            "of": len(clock),
            "second": round(form.moment(chunk.start), 3),
            "text": live.text,
            "cut": chunk.start in told.video.prompts.cuts,
            "schedule": text,
            "planned": planned,
            "schedule_node": told.graph.schedule,
        }
        log.info(
            "Head Forcing: chunk %d (from %g s) takes the prompt: %s",
            *(receipt["chunk"], receipt["second"], live.text),
        )
        self.progress.watched.took(receipt)
        return receipt

    def _move(self, told: Told) -> None:
        """Take what is finished along, under the name of the other video."""
        before, chunks, video = self.left, self.chunks, told.video
        left, frames = Unfinished(video.name), self.progress.frames
        left.begin(self.reel and self.reel.film.path)
        self.told, self.video, self.left = told, video, left
        self.chunks = chunks.moved(left.parts, video.name, frames)
        if self.reel is not None:
            film = replace(self.reel.film, metadata=told.metadata)
            clips = self.reel.kept.moved(left.parts, frames, copied=chunks.beyond)
            cuts, changes = video.prompts.cuts, frozenset(video.prompts.starts)
            self.reel.turn(film, clips, cuts, changes)
        if not chunks.beyond:  # else a longer one is still to be gone on with
            before.forget()
        self.progress.turn(video, self.chunks)


def _sentence(error: BaseException) -> str:
    """Say in a line why a prompt was not taken."""
    line = next(iter(str(error).splitlines()), "")
    if line and isinstance(error, (RuntimeError, ValueError)):
        return line
    return f"the text encoder must take a live prompt, got {type(error).__name__}: {line or 'none'}"
