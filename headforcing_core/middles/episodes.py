"""Older frames that a memory head keeps, because nothing else it keeps is like them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from hashlib import blake2b
from itertools import combinations

from ..pages import Commit, Page, frame_page
from .middle import Middle


class EpisodeUpdate(Enum):
    """How a frame that leaves becomes an episode, once there is no room left.

    NOVELTY_REPLACE   the most alike pair loses its older one
    NOVELTY_THRESHOLD one that is new enough comes in, the oldest goes
    REDUNDANCY_EVICT  every candidate comes in, the one most like another goes
    FIFO_STRIDE       every so many frames, the oldest goes
    RESERVOIR         an even sample of all frames that left, whatever they show
    OFF               nothing is kept
    """

    NOVELTY_REPLACE = "novelty_replace"
    NOVELTY_THRESHOLD = "novelty_threshold"
    REDUNDANCY_EVICT = "redundancy_evict"
    FIFO_STRIDE = "fifo_stride"
    RESERVOIR = "reservoir"
    OFF = "off"


class Scope(Enum):
    """Which heads share a list of episodes: all of the model, those of a layer, or none."""

    MODEL = "model"
    LAYER = "layer"
    HEAD = "head"


class Descriptor(Enum):
    """What frames are compared by: the clean latent or the unrotated keys, both in coarse cells."""

    LATENT = "latent"
    KEYS = "keys"


@dataclass(frozen=True)
class Episodes(Middle):
    """Frames chosen so that they differ.

    The paper states a hierarchical memory with dynamic episodic updates; everything below but
    ``count`` is inferred from that.

    Args:
        count: episodes, in frames; B_epi.
        update: how they are chosen.
        threshold: novelty below which a frame is not kept; 1 - cosine, 0 to 2.
        candidates: most novel frames of every chunk that leaves, that may become one.
        stride: of FIFO_STRIDE, in frames.
        against_sink: novelty counts the sink, too.
        scene_start: the first frame of the scene that rules now is kept as long as it rules.
        scope: who shares a list.
        descriptor: what frames are compared by.
        centred: the mean of all frames seen is taken away before they are compared.

    Source: Head Forcing (arXiv 2605.14487), memory heads.
    """

    count: int = 6
    update: EpisodeUpdate = EpisodeUpdate.NOVELTY_REPLACE
    threshold: float = 0.0
    candidates: int = 1
    stride: int = 6
    against_sink: bool = True
    scene_start: bool = True
    scope: Scope = Scope.MODEL
    descriptor: Descriptor = Descriptor.LATENT
    centred: bool = True

    def __post_init__(self) -> None:
        if self.count < 0 or self.candidates < 1 or self.stride < 1:
            raise ValueError(
                "count must be at least 0, candidates and stride at least 1, "
                f"got {self.count}, {self.candidates} and {self.stride}"
            )

    @property
    def slots(self) -> int:
        return 0 if self.update is EpisodeUpdate.OFF else self.count

    @property
    def looks(self) -> bool:
        blind = (EpisodeUpdate.FIFO_STRIDE, EpisodeUpdate.RESERVOIR, EpisodeUpdate.OFF)
        return self.update not in blind

    def take(
        self, held: tuple[Page, ...], leaving: Sequence[int], event: Commit
    ) -> tuple[Page, ...]:
        frames = [page.at for page in held]
        new = [frame for frame in leaving if frame not in frames]
        for group in _by_chunk(new, len(event.chunk)):
            for frame in self._chosen(frames, group, event):
                frames = sorted(self._admit(frames, frame, event))
        return tuple(frame_page(frame) for frame in frames)

    def _chosen(self, held: list[int], group: list[int], event: Commit) -> list[int]:
        """Return the candidates of frames that leave together, in the order they come in."""
        if not self.slots:
            return []
        if self.update is EpisodeUpdate.FIFO_STRIDE:
            return [f for f in group if f % self.stride == 0 or self._protected(f, event)]
        if self.update is EpisodeUpdate.RESERVOIR:
            return group
        first = [frame for frame in group if self._protected(frame, event)]
        known = self._known(held, event)
        by_novelty = sorted(group, key=lambda frame: (-_novelty(frame, known, event), frame))
        rest = [frame for frame in by_novelty if frame not in first]
        return [*first, *rest][: self.candidates]

    def _admit(self, held: list[int], frame: int, event: Commit) -> list[int]:
        """Return what is held after one candidate, which may be what it was."""
        forced = self._protected(frame, event)
        new_enough = not self.looks or (
            _novelty(frame, self._known(held, event), event) >= self.threshold
        )
        if not (new_enough or forced):
            return held
        everyone = [*held, frame]
        if len(everyone) <= self.count:
            return everyone
        may_go = [f for f in everyone if not self._protected(f, event)] or held
        gone = self._gone(everyone, may_go, event)
        return [f for f in everyone if f != gone]

    def _gone(self, everyone: list[int], may_go: list[int], event: Commit) -> int:
        match self.update:
            case EpisodeUpdate.NOVELTY_REPLACE:
                # what is like the sink adds nothing, and the sink stays; of equals the first pair
                known = sorted({*everyone, *self._known(everyone, event)})
                pairs = [p for p in combinations(known, 2) if p[0] in may_go or p[1] in may_go]
                older, newer = max(pairs, key=lambda pair: event.alike(*pair))
                return older if older in may_go else newer
            case EpisodeUpdate.REDUNDANCY_EVICT:
                before = [f for f in may_go if f != everyone[-1]] or may_go
                return max(before, key=lambda f: max(event.alike(f, g) for g in everyone if g != f))
            case EpisodeUpdate.RESERVOIR:
                return max(may_go, key=_lot)
        return min(may_go)

    def _known(self, held: list[int], event: Commit) -> list[int]:
        return [*held, *event.sink] if self.against_sink else held

    def _protected(self, frame: int, event: Commit) -> bool:
        return self.scene_start and frame == event.scene


def _novelty(frame: int, known: Sequence[int], event: Commit) -> float:
    return 1 - max((event.alike(frame, other) for other in known), default=0.0)


def _lot(frame: int) -> int:
    """Return a number that frames are drawn by: the same in every run, without order."""
    return int.from_bytes(blake2b(str(frame).encode(), digest_size=8).digest(), "big")


def _by_chunk(frames: Sequence[int], size: int) -> list[list[int]]:
    return [list(frames[at : at + size]) for at in range(0, len(frames), size)]
