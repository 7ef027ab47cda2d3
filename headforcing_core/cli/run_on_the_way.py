"""A command's run on its way: what is said and kept of it, also when it becomes another video."""

from __future__ import annotations

import argparse
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from torch import Tensor

from ..generation import VideoRequest
from ..models import WanModel
from ..reel import Film, KeptChunks
from ..rollout import FinishedChunk
from ..stopping import undisturbed
from ..video import Chunk, PromptSchedule, as_ran, schedule_of, schedule_text
from .earlier import is_video
from .live import TypedPrompts
from .showing import Showing, titled
from .unfinished import Unfinished
from .words import Words, plain, words_said

log = logging.getLogger("headforcing")


@dataclass
class RunOnTheWay:
    """A run of one video. A prompt that is typed on the way makes it a run of another one, whose
    schedule has that prompt: the very video that this schedule makes.

    Args:
        options: of the command.
        request: the video.
        model: that makes it.
        settings: for the metadata of what is made.
        left: where its parts are kept.
        kept: the chunks there.
        given: first frames.
        words: prompts and their encoder; None: an embedding was given.
        typed: what comes on the way.
        film: the file it becomes, if it becomes one.
        showing: writes that.
    """

    options: argparse.Namespace
    request: VideoRequest
    model: WanModel
    settings: Mapping[str, object]
    left: Unfinished
    kept: KeptChunks | None
    given: Tensor | None
    words: Words | None
    typed: TypedPrompts | None = None
    film: Film | None = None
    showing: Showing | None = None
    frames: int = field(default=0, init=False)
    _turned: bool = field(default=False, init=False)

    def finished(self, done: FinishedChunk) -> None:
        """Count a chunk, and show it."""
        self.frames = done.chunk.stop
        if self.showing is not None:
            self.showing.show(done)

    def steer(self, chunk: Chunk) -> PromptSchedule | None:
        """Let a chunk take the prompt that waits, if there is one; what was wrong with it is said.

        Returns:
            what is said now; None: what was.
        """
        live = None if self.typed is None else self.typed.next()
        if live is None:
            return None
        if self.showing is not None:
            self.showing.settle()
        form, clock = self.request.family.video, self.request.clock
        ran = as_ran(self.words.prompts, clock, form, chunk.start, live)
        try:
            schedule_text(ran)  # what could not be written could not be made again
            words = Words.open(self.options, ran, clock, form, self.request.family.shot_words)
            prompts = words.schedule(clock, self.options.text_tokens, self.model.device)
        except (ValueError, RuntimeError, OSError) as error:  # no room, or no encoder any more
            log.warning("chunk %d does not take %r: %s", chunk.index + 1, live.text[:40], error)
            return None
        with undisturbed():
            self._become(words, prompts)
        log.info(
            "chunk %d of %d (from %g s) takes%s: %s",
            *(chunk.index + 1, len(clock), form.moment(chunk.start)),
            *(" as a cut" if live.cut else "", live.text),
        )
        return prompts

    def told(self) -> None:
        """Say the schedule as it ran, if it is not the one that was given, and what came late."""
        while self.typed is not None and (live := self.typed.next()) is not None:
            log.warning("not taken, for no chunk is left: %s", live.text[:40])
        if not self._turned:
            return
        prompts, place = self.words.prompts, "for --prompt"
        if is_video(self.options.start):
            if words_said(self.options) is None:
                place = "of the whole, which the video says too"
            else:  # which is what follows
                end = round(self.request.family.video.moment(self.given.shape[2]), 3)
                after = [prompt for prompt in prompts if prompt.start >= end]
                prompts = [replace(one, start=round(one.start - end, 3)) for one in after]
        log.info("the schedule as it ran, %s:\n%s", place, schedule_text(prompts))

    def _become(self, words: Words, prompts: PromptSchedule) -> None:
        """Take what is finished along, under the name of the other video."""
        before, weights, self._turned = self.left, self.model.state_dict(), True
        self.words = replace(words, texts=[])
        self.settings = {**self.settings, "schedule": plain(words.prompts)}
        of = (before.place, self.request, self.settings, prompts, self.given, weights)
        self.left = Unfinished.of(*of)
        kept, self.kept = self.kept, self.kept.moved(self.left.parts, self.left.key, self.frames)
        if self.showing is not None:
            clock, form = self.request.clock, self.request.family.video
            shown = schedule_of(words.prompts, words.prompts, clock, form)
            told = (self.settings, words.prompts, shown, self.request, self.left.key)
            self.showing.turn(titled(self.film, *told), shown, self.kept, kept.beyond)
        before.forget()
