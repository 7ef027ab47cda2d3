"""Which frames of the past a head keeps and reads. Arithmetic on frame numbers; no tensors."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from ..bounds import check_frames
from ..video import Chunk
from .middles import Middle
from .pages import Commit, Past


@dataclass(frozen=True)
class HeadPolicy:
    """Keep the first ``sink`` frames for ever, the last ``recent``, and what ``middle`` says.

        sink=1, recent=3 after frame 8:   [0] 1 2 3 4 5 [6 7 8]

    Units: latent frames of the past; the chunk being denoised comes on top.

    Args:
        middle: what becomes of frames that leave ``recent``. By default they are forgotten.
        warm_up: as long as the past has no more frames than that, all of them are kept; then what
            is too many leaves at once.
        scene_sink: the sink is made of the first frames of the scene that rules, not of the video.
        shot_sink: first frames of the shot that rules, if it is not the first, that stay behind the
            sink. They take the places of as many recent ones.
        in_order: which frames are first is told by their order; by their numbers otherwise, which
            jump where a shot begins.
    """

    sink: int = 0
    recent: int = 0
    middle: Middle = field(default_factory=Middle)
    warm_up: int = 0
    scene_sink: bool = False
    shot_sink: int = 0
    in_order: bool = False

    def __post_init__(self) -> None:
        check_frames("sink", self.sink)
        check_frames("recent", self.recent)
        check_frames("warm_up", self.warm_up)
        check_frames("shot_sink", self.shot_sink)
        if self.shot_sink > self.recent:
            raise ValueError(
                f"shot_sink must be at most the recent frames, {self.recent}, whose places it "
                f"takes, got {self.shot_sink}"
            )

    @classmethod
    def of_window(cls, window: int, sink: int, frames_per_chunk: int) -> HeadPolicy:
        """Convert the field's window, which counts the sink and the current chunk.

        A window of the whole video keeps everything.

        Raises:
            ValueError: if sink and current chunk do not fit.
        """
        check_frames("window", window)
        check_frames("sink", sink)
        if window < sink + frames_per_chunk:
            raise ValueError(
                f"window must hold the sink and the current chunk, at least {sink} + "
                f"{frames_per_chunk} frames, got {window}"
            )
        return cls(sink, window - sink - frames_per_chunk)

    def fitted(self, frames: int, frames_per_chunk: int, apart: bool = False) -> HeadPolicy:
        """Return the policy for a video of no more frames than that.

        Args:
            apart: a first frame stands elsewhere as long as it is recent.
        """
        past = max(0, frames - frames_per_chunk)
        sink = min(self.sink, past)
        # first frames that still are recent need no place as both, if nobody can tell
        rest = past if apart or self.scene_sink else past - sink
        recent, warm_up = min(self.recent, rest), min(self.warm_up, past)
        middle, shot = self.middle.fitted(past, frames), min(self.shot_sink, recent)
        return replace(
            self, sink=sink, recent=recent, warm_up=warm_up, middle=middle, shot_sink=shot
        )

    @property
    def slots(self) -> int:
        """Most pages of the past that lie in slots."""
        return max(self.sink + self.middle.slots + self.recent, self.warm_up)

    @property
    def seen(self) -> int:
        """Most pages of the past that are read at a time."""
        return max(self.slots + self.middle.front, self.warm_up)

    def commit(self, past: Past, event: Commit) -> Past:
        """Return what is kept when a chunk has become part of the past."""
        sink, leaving, recent = self.split(past, event.chunk, event.scene, event.shot)
        middle = self.middle.take(past.middle, leaving, replace(event, sink=sink))
        return Past(sink, middle, recent)

    def split(
        self, past: Past, chunk: Chunk, scene: int, shot: int = 0
    ) -> tuple[tuple[int, ...], list[int], tuple[int, ...]]:
        """Return the sink, the frames that leave, and the recent ones after a chunk's commit."""
        if self.in_order:
            return self._split_in_order(past, chunk, shot)
        arrived = (*past.recent, *chunk.frames)
        # a past that is computed again had its warm-up: what left then is in the middle
        warms_up = chunk.stop <= self.warm_up and not past.middle
        stay = len(arrived) if warms_up else self.recent
        keep = max(0, len(arrived) - stay)
        left, recent = arrived[:keep], arrived[keep:]
        first = scene if self.scene_sink else 0
        of_scene = range(first, first + self.sink)
        sink = tuple(sorted({f for f in (*past.sink, *left) if f in of_scene})) or past.sink
        return sink, [frame for frame in left if frame not in sink], recent

    def _split_in_order(
        self, past: Past, chunk: Chunk, shot: int
    ) -> tuple[tuple[int, ...], list[int], tuple[int, ...]]:
        """Do the same for frames in their order, whose numbers may jump.

        What leaves lies behind the sink, and behind the first frames of the shot where these have
        come to lie right there; they leave like others where more frames than that leave at a time.
        """
        held = sorted((*past.sink, *past.recent, *chunk.frames))
        begins = shot > 0 and held[self.sink : self.sink + 1] == [shot]
        front = self.sink + (self.shot_sink if begins else 0)
        stay, others = held[:front], held[front:]
        keep = max(0, len(held) - self.sink - self.recent)
        return tuple(stay), others[:keep], tuple(others[keep:])

    def ahead(self, past: Past, frames: int, reach: int, frame: int) -> Past:
        """Return what a window of several chunks reads of the past.

        First frames come first, then what is in the middle, then the last ones, as many as there
        is room for.

        Args:
            frames: of the window.
            reach: all that is read, the window included.
            frame: the first of the window.
        """
        first = max(self.sink, self.middle.first)
        sink = tuple(sorted({*past.sink, *(f for f in past.recent if f < first)}))
        room = max(0, reach - frames - len(sink))
        kept = self.middle.ahead(past.middle, frame)
        # first frames are read however large the window
        most = max(room, self.middle.first)
        middle = kept[max(0, len(kept) - most) :]
        recent = [f for f in past.recent if f not in sink]
        left = max(0, room - len(middle))
        return Past(sink, middle, tuple(recent[max(0, len(recent) - left) :]))

    def rewind(self, past: Past, start: int) -> Past:
        """Return what is kept when frames from ``start`` on are about to be committed again.

        The sink stays: it is not computed again.
        """
        return Past(
            past.sink,
            self.middle.rewind(past.middle, start),
            tuple(frame for frame in past.recent if frame < start),
        )
