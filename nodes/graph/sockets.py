"""What the pack's nodes hand to each other. Frozen: the host keeps outputs between runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from comfy_api.latest import io

from ...headforcing_core.models import WAN_VIDEO, Family
from ...headforcing_core.video import (
    ChunkClock,
    LivePrompt,
    TimedPrompt,
    Unit,
    VideoFormat,
    as_ran,
    parse_prompts,
    schedule_text,
    shot_texts,
    with_cuts,
    with_prefix,
)

CATEGORY = "Head Forcing"

CacheMethodSocket = io.Custom("HEADFORCING_METHOD")
HeadMapSocket = io.Custom("HEADFORCING_HEAD_MAP")
ScheduleSocket = io.Custom("HEADFORCING_SCHEDULE")


@dataclass(frozen=True)
class Written:
    """A schedule as it was typed.

    Args:
        text, prefix, unit: of Prompt Schedule.
        fps: pictures per second, for numbers that count pictures; 0: a model's own.
    """

    text: str
    prefix: str
    unit: Unit
    fps: float = 0.0

    def prompts(self, fps: float) -> tuple[TimedPrompt, ...]:
        """Return the prompts of a video of so many pictures per second."""
        return with_prefix(self.bare(fps), self.prefix)

    def bare(self, fps: float) -> tuple[TimedPrompt, ...]:
        """Return the same without the words in front of all."""
        return parse_prompts(self.text, self.fps or fps, self.unit)


# the host's conditioning of a text
Encode = Callable[[str], list]


@dataclass(frozen=True)
class EncodedPrompts:
    """A prompt schedule with the host's conditioning of every prompt.

    Args:
        prompts: texts and when they begin; the sampler knows where chunks do.
        conditioning: as CLIP Text Encode gives it, one per prompt.
        written: what it was read from, and is read from anew for a model's pictures per second;
            None: of plain CONDITIONING, whose texts are not known.
        encode: makes the conditioning of other texts.
        texts: conditioning of every text that was encoded; it grows.
        shots: of the first chunk of a shot, by the number of its prompt.
    """

    prompts: tuple[TimedPrompt, ...]
    conditioning: tuple[list, ...]
    written: Written | None = None
    encode: Encode | None = None
    texts: dict[str, list] = field(default_factory=dict)
    shots: Mapping[int, list] = field(default_factory=dict)

    @classmethod
    def of(
        cls, written: Written, encode: Encode, known: Mapping[str, list] | None = None
    ) -> EncodedPrompts:
        """Read and encode a schedule.

        Args:
            known: conditioning of texts that need not be encoded again.

        Raises:
            ValueError: if it is none.
        """
        prompts, known = written.prompts(WAN_VIDEO.fps), dict(known or {})
        own = tuple(_known(prompt.text, known, encode) for prompt in prompts)
        return cls(prompts, own, written, encode, known)

    @property
    def known(self) -> bool:
        """Whether texts are what was encoded."""
        return self.written is not None

    def told(self, family: Family) -> EncodedPrompts:
        """Return the schedule as models of a family are told it.

        What only they are told is encoded now: not every encoder takes all words.
        """
        if self.written is None:
            return self
        words = family.shot_words
        prompts = with_cuts(self.written.prompts(family.video.fps), words)
        own = tuple(_known(prompt.text, self.texts, self.encode) for prompt in prompts)
        begins = shot_texts(prompts, words).items()
        shots = {number: _known(text, self.texts, self.encode) for number, text in begins}
        return replace(self, prompts=prompts, conditioning=own, shots=shots)

    def steered(
        self, live: LivePrompt, frame: int, clock: ChunkClock, video: VideoFormat
    ) -> EncodedPrompts:
        """Return the schedule with a prompt that a chunk takes on the way.

        Args:
            frame: at which the chunk begins.

        Raises:
            ValueError: if no schedule can say so.
        """
        ran = as_ran(self.written.bare(video.fps), clock, video, frame, live)
        written = replace(self.written, text=schedule_text(ran))
        return self.of(written, self.encode, self.texts)


def _known(text: str, known: dict[str, list], encode: Encode) -> list:
    """Return the conditioning of a text, which is encoded once."""
    if text not in known:
        known[text] = encode(text)
    return known[text]


def encoded(prompts: EncodedPrompts | list) -> EncodedPrompts:
    """Return a schedule; plain CONDITIONING is one prompt for the whole video."""
    if isinstance(prompts, EncodedPrompts):
        return prompts
    return EncodedPrompts((TimedPrompt("the prompt"),), (prompts,))
