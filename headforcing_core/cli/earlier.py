"""The earlier video that a command goes on from, and what it decides of what follows."""

from __future__ import annotations

import argparse
import copy
import logging
import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path

from ..bounds import check_within
from ..files import CONTAINERS, as_list, as_number, as_object, as_words, entry, shown
from ..generation import VideoRequest
from ..methods import PositionRule
from ..models import WAN_TEXT_TOKENS, family_named, recognise
from ..reel import MadeVideo
from ..rollout import Begun
from ..video import ChunkClock, TimedPrompt
from .start import COMPARED, before_that, tell_others
from .words import LONGEST_TEXT

log = logging.getLogger("headforcing")
# where neither a user nor an earlier video says
DEFAULTS = {
    "seconds": 5.0,
    "width": 832,
    "height": 480,
    "seed": 0,
    "text_tokens": WAN_TEXT_TOKENS,
}
# what a method decides in their place
OWN_WINDOW = ("window", "sink", "positions")
DAY = 86_400
MOST_STEPS, MOST_FRAMES, MOST_SETTINGS = 1000, 10**7, 1000


@dataclass(frozen=True)
class Earlier:
    """A finished video whose first frames stay.

    Args:
        made: what its file says.
        frames: that are kept, in whole chunks.
    """

    made: MadeVideo
    frames: int

    @classmethod
    def of(cls, options: argparse.Namespace) -> Earlier | None:
        """Return the video that ``--start`` names, if it names one; of its latents none is read.

        Raises:
            ValueError: if it is none of ours, or no chunk of it is kept.
        """
        if options.from_second is not None:
            check_within("--from", options.from_second, 0, DAY, "seconds")
            if options.start is None:
                raise ValueError("--from must come with --start, got none")
        if not is_video(options.start):
            return None
        made = MadeVideo.read(Path(options.start))
        return cls(made, made.frames_before(options.from_second or 0.0))

    @property
    def end(self) -> float:
        """The second at which what is kept ends."""
        return self.made.video.moment(self.frames)

    @property
    def settings(self) -> dict[str, object]:
        """What made it, for the metadata of what goes on."""
        return before_that(self.made.about)

    def values(self, options: argparse.Namespace) -> dict[str, object]:
        """Return what the video says of itself, by the options that would say it.

        Raises:
            ValueError: if it is damaged.
        """
        about, video, (_, rows, columns) = self.made.about, self.made.video, self.made.size
        said: dict[str, object] = {
            "seconds": video.moment(self.made.clock.total_frames),
            "width": video.space_stride * columns,
            "height": video.space_stride * rows,
            "seed": self.made.seed,
            "first_chunk": self.made.clock.first_chunk,
        }
        if "text_tokens" in about:
            tokens = as_number(about["text_tokens"], "text_tokens", LONGEST_TEXT, 1)
            said["text_tokens"] = tokens
        family = as_words(entry(about, "family"), "family")
        told = recognise(options.model)
        if (options.family or (told.name if told else family)) == family:
            levels = _levels(about, options)
            own, first = family_named(family), about.get("first_steps")
            if levels["steps"] == own.steps and first == (own.first_steps and [*own.first_steps]):
                del levels["steps"]  # chosen, they would be those of the first chunk, too
            said |= {"family": family, **levels, **_way(about, options)}
        return said

    def check(self, request: VideoRequest) -> None:
        """Refuse a video that is no longer than what it begins with, or of another size or model.

        Raises:
            ValueError: if it is.
        """
        name, family, (channels, *known) = self.made.path.name, request.family, self.made.size
        if channels != family.channels:
            raise ValueError(
                f"--start must be of the {family.channels} latent channels of {family.title}, got "
                f"{name} of {channels}"
            )
        size, stride = [request.rows, request.columns], family.video.space_stride
        if size != known:
            wide, high = (stride * side for side in reversed(known))
            raise ValueError(
                f"--width and --height must be {wide} and {high}, as {name} is, got "
                f"{stride * size[1]} and {stride * size[0]}"
            )
        if request.clock.total_frames <= self.frames:
            raise ValueError(
                f"--seconds, the length of the whole, must be more than the {self.end:g} s that "
                f"are kept of {name}, got {family.video.moment(request.clock.total_frames):g}; or "
                "choose --from"
            )

    def prompts(self, then: str | None, clock: ChunkClock) -> tuple[TimedPrompt, ...]:
        """Return the prompts of the whole: those before, and what follows.

        Raises:
            ValueError: see ``MadeVideo.prompts_then``.
        """
        every = self.made.prompts_then(self.end, then or "")
        end = self.made.video.moment(clock.total_frames)
        # of the video's own, those that a shorter one does not come to
        return tuple(prompt for prompt in every if then or prompt.start < end)

    def read(self, shape: tuple[int, int, int, int], now: Mapping[str, object]) -> Begun:
        """Return the frames that stay; tell where they were made in another way than what follows.

        Args:
            shape: the (B, C, Y, X) they must have.
            now: what will make the rest, as the metadata of videos says it.

        Raises:
            ValueError: if they are damaged, or of another model.
        """
        batch, channels, *_ = shape
        name = self.made.path.name
        if (batch, channels) != (1, self.made.size[0]):
            raise ValueError(
                f"--start must be of the model's {channels} latent channels and of {batch} "
                f"videos, got {name} of {self.made.size[0]} channels and one video"
            )
        tell_others(self.made.about, now, (*COMPARED, "method"))
        log.info("keeping %g s of %s", self.end, name)
        return self.made.begun(self.frames)


def is_video(path: str | None) -> bool:
    """Tell whether a file that is to be gone on from is a video, by its name."""
    return path is not None and Path(path).suffix.lower()[1:] in CONTAINERS


def filled(options: argparse.Namespace, earlier: Earlier | None) -> argparse.Namespace:
    """Return options in which what was not given is the earlier video's, or the default.

    Raises:
        ValueError: if what the video says is damaged.
    """
    said = DEFAULTS if earlier is None else DEFAULTS | earlier.values(options)
    whole = copy.copy(options)
    for name, value in said.items():
        # settings are those of both: one more leaves the others as they were
        if getattr(whole, name) is None or name == "set":
            setattr(whole, name, value)
    return whole


def _levels(about: Mapping[str, object], options: argparse.Namespace) -> dict[str, object]:
    """Return the noise levels; those that are given as they are count before steps and shift."""
    steps = as_list(entry(about, "steps"), "steps", MOST_STEPS)
    levels: dict[str, object] = {
        "steps": tuple(as_number(step, "a step", MOST_STEPS) for step in steps),
        "shift": _real(entry(about, "shift"), "shift"),
    }
    sigmas = about.get("sigmas")
    if sigmas is not None and options.steps is None and options.shift is None:
        listed = as_list(sigmas, "sigmas", MOST_STEPS)
        levels["sigmas"] = tuple(_real(sigma, "a sigma") for sigma in listed)
    return levels


def _way(about: Mapping[str, object], options: argparse.Namespace) -> dict[str, object]:
    """Return how the past is kept, as far as it is said: settings of a method may not be."""
    if options.method:
        return {}
    method, settings = _asked(about)
    # later ones count
    kept = {"set": [*settings, *(options.set or [])]} if settings else {}
    another = any(getattr(options, name) is not None for name in OWN_WINDOW)
    if method is not None:
        return {} if another else {"method": method, **kept}
    if another or about.get("method") != about.get("family"):
        return kept
    positions = as_words(entry(about, "positions"), "positions")
    if positions not in {rule.value for rule in PositionRule}:
        raise ValueError(f"positions must be a rule that is known, got {shown(positions)}")
    frames = {n: as_number(entry(about, n), n, MOST_FRAMES) for n in ("window", "sink")}
    keeps = family_named(as_words(entry(about, "family"), "family")).keeps
    # a past that is more than a window and a sink may have none of them to choose
    own = OWN_WINDOW if keeps is None else {field.name for field in fields(keeps)}
    return kept | {n: x for n, x in {**frames, "positions": positions}.items() if n in own}


def _asked(about: Mapping[str, object]) -> tuple[str | None, list[str]]:
    """Return the method that was asked for, None if none was, and its settings."""
    asked = about.get("asked")
    if asked is None:
        return None, []
    asked = as_object(asked, "asked")
    settings = as_list(entry(asked, "set"), "set", MOST_SETTINGS)
    method = asked.get("method")
    said = None if method is None else as_words(method, "method")
    return said, [as_words(one, "a setting") for one in settings]


def _real(value: object, name: str) -> float:
    if type(value) not in (int, float) or not math.isfinite(value):
        raise ValueError(f"{name} must be a number, got {shown(value)}")
    return float(value)
