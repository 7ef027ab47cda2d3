"""What begins when: prompts as they were read, and on the chunks of a video."""

from __future__ import annotations

import json
from bisect import bisect_left
from collections.abc import Sequence
from itertools import pairwise

from .clock import ChunkClock
from .geometry import VideoFormat
from .prompts import PromptSchedule
from .timed_prompt import TimedPrompt


def snapped(prompts: Sequence[TimedPrompt], clock: ChunkClock, video: VideoFormat) -> list[int]:
    """Return the frame at which each prompt begins: the nearest at which a chunk does.

    Raises:
        ValueError: if two would begin with the same chunk, or one after the end.
    """
    edges = [chunk.start for chunk in clock]
    share = clock.total_frames / len(prompts)
    starts = []
    for number, prompt in enumerate(prompts):
        even = number * share
        frame = even if prompt.start is None else prompt.start * video.fps / video.time_stride
        if frame >= clock.total_frames:
            raise ValueError(
                "prompts must begin before the video ends at "
                f"{video.moment(clock.total_frames):g} s, got {prompt.text[:40]!r} at "
                f"{prompt.start:g} s"
            )
        # of two that are as near the later: a prompt is not obeyed before its time
        after = bisect_left(edges, frame)
        near = edges[max(0, after - 1) : after + 1]
        starts.append(min(near, key=lambda edge: (abs(edge - frame), -edge)))
    for number, (one, other) in enumerate(pairwise(starts)):
        if other <= one:
            apart = video.moment(clock.frames_per_chunk)
            raise ValueError(
                f"prompts must be a chunk, {apart:g} s, apart, got {prompts[number].text[:40]!r} "
                f"and {prompts[number + 1].text[:40]!r} both at {video.moment(one):g} s"
            )
    return starts


def schedule_of(
    prompts: Sequence[TimedPrompt], texts: Sequence[object], clock: ChunkClock, video: VideoFormat
) -> PromptSchedule:
    """Return the schedule of what prompts were encoded to."""
    starts = snapped(prompts, clock, video)
    cuts = frozenset(s for s, prompt in zip(starts, prompts, strict=True) if prompt.cut)
    return PromptSchedule(tuple(starts), tuple(texts), cuts)


def times_text(prompts: Sequence[TimedPrompt]) -> str:
    """Say what begins when, as it was read: a line per prompt."""
    lines = []
    for number, prompt in enumerate(prompts, start=1):
        when = f"part {number} of {len(prompts)}"
        if prompt.start is not None:
            when = f"from {prompt.start:g} s"
            when += "" if prompt.end is None else f" to {prompt.end:g} s"
        lines.append(f"{when}{', cut' if prompt.cut else ''}: {' '.join(prompt.text.split())}")
    return "\n".join(lines)


def prompts_text(prompts: Sequence[TimedPrompt]) -> str:
    """Return a schedule that is read as these prompts; each must have its time."""
    said = [{"start_seconds": p.start, "text": p.text, "cut": p.cut} for p in prompts]
    return json.dumps(said, ensure_ascii=False, indent=1)


def plan_text(prompts: Sequence[TimedPrompt], clock: ChunkClock, video: VideoFormat) -> str:
    """Say what begins when, as it will be: a line per prompt."""
    starts = snapped(prompts, clock, video)
    ends = [*starts[1:], clock.total_frames]
    lines = []
    for prompt, start, end in zip(prompts, starts, ends, strict=True):
        wanted = "" if prompt.start is None else f" (asked for {prompt.start:g} s)"
        moved = prompt.start is not None and abs(video.moment(start) - prompt.start) > 1e-6
        lines.append(
            f"{video.moment(start):g} s to {video.moment(end):g} s, latent frames {start} to "
            f"{end - 1}{', cut' if prompt.cut else ''}{_end_text(prompt, end, clock, video)}"
            f"{wanted if moved else ''}: {' '.join(prompt.text.split())}"
        )
    return "\n".join(lines)


def _end_text(prompt: TimedPrompt, end: int, clock: ChunkClock, video: VideoFormat) -> str:
    """Say of a prompt that it does not end when it was to; half a chunk is nothing."""
    if prompt.end is None:
        return ""
    # the last chunk is made whole, though the video was asked for shorter
    near = clock.frames_per_chunk * (1.0 if end == clock.total_frames else 0.5)
    apart = video.moment(end) - prompt.end
    if -0.5 * video.moment(clock.frames_per_chunk) - 1e-6 <= apart <= near * video.moment(1) + 1e-6:
        return ""
    return f", {'goes on to there' if apart > 0 else 'ends there'} (was to end at {prompt.end:g} s)"
