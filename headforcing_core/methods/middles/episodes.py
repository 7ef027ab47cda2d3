"""Older frames that a memory head keeps, because nothing else it keeps is like them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum
from hashlib import blake2b
from itertools import combinations, groupby, product
from statistics import fmean

from ...bounds import check_frames, check_within
from ..pages import Commit, Kind, Page, frame_page
from .middle import MOST_POOLED, Middle

# frames that are kept, or go, together; ascending
Episode = tuple[int, ...]


class EpisodeUpdate(Enum):
    """How frames that leave become an episode, once there is no room left.

    NOVELTY_REPLACE   the most alike pair loses its older one
    NOVELTY_THRESHOLD one that is new enough comes in, the oldest goes
    REDUNDANCY_EVICT  every candidate comes in, the one most like another goes
    MERGE_NEAREST     the candidate becomes part of the episode most like it
    FIFO_STRIDE       every so many frames, the oldest goes
    SCENES            the scene that has most loses the one that is least like its others
    RESERVOIR         an even sample of all frames that left, whatever they show
    OFF               nothing is kept
    """

    NOVELTY_REPLACE = "novelty_replace"
    NOVELTY_THRESHOLD = "novelty_threshold"
    REDUNDANCY_EVICT = "redundancy_evict"
    MERGE_NEAREST = "merge_nearest"
    FIFO_STRIDE = "fifo_stride"
    RESERVOIR = "reservoir"
    SCENES = "scenes"
    OFF = "off"


class Unit(Enum):
    """What an episode is: one frame, or those frames of a chunk that leave together."""

    FRAME = "frame"
    CHUNK = "chunk"


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
    ``count`` is inferred from that. Candidates are frames that leave ``recent``, so that no head
    ever reads a frame twice.

    Args:
        count: frames of all episodes together; B_epi.
        update: how they are chosen.
        threshold: novelty below which an episode is not kept; 1 - cosine, 0 to 2.
        candidates: most novel units of every chunk that leaves, that may become one.
        stride: of FIFO_STRIDE, in frames.
        rate: of MERGE_NEAREST: what the new frame weighs; the older ones share the rest. The
            merged one stands where its newest frame stood, and is compared by it.
        unit: what is chosen; chunks are compared by the mean over their frames.
        pool: tokens in a row, and in a column, of which an episode keeps one, their mean.
        against_sink: novelty counts the sink, too.
        scene_start: the first frame of the scene that rules now is kept as long as it rules,
            though MERGE_NEAREST may make it part of another.
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
    rate: float = 0.5
    unit: Unit = Unit.FRAME
    pool: int = 1
    against_sink: bool = True
    scene_start: bool = True
    scope: Scope = Scope.MODEL
    descriptor: Descriptor = Descriptor.LATENT
    centred: bool = True

    def __post_init__(self) -> None:
        check_frames("count", self.count)
        check_frames("candidates", self.candidates, 1)
        check_frames("stride", self.stride, 1)
        check_within("pool", self.pool, 1, MOST_POOLED)
        check_within("threshold", self.threshold, 0, 2)
        if not 0 < self.rate <= 1:
            raise ValueError(f"rate must be above 0 and at most 1, got {self.rate}")
        whole = self.unit is Unit.FRAME and self.pool == 1
        if self.update is EpisodeUpdate.MERGE_NEAREST and not whole:
            raise ValueError(
                "merge_nearest must have single, whole frames, "
                f"got unit {self.unit.value} and pool {self.pool}"
            )

    def fitted(self, past: int, frames: int) -> Episodes:
        return replace(self, count=min(self.count, max(1, past)))

    @property
    def slots(self) -> int:
        return 0 if self.update is EpisodeUpdate.OFF or self.pool > 1 else self.count

    @property
    def front(self) -> int:
        return self.kept_aside

    @property
    def kept_aside(self) -> int:
        return 0 if self.update is EpisodeUpdate.OFF or self.pool == 1 else self.count

    @property
    def pool_size(self) -> int:
        return self.pool

    @property
    def looks(self) -> bool:
        blind = (EpisodeUpdate.FIFO_STRIDE, EpisodeUpdate.RESERVOIR, EpisodeUpdate.OFF)
        return self.count > 0 and self.update not in blind

    def aside(self, held: tuple[Page, ...]) -> tuple[Page, ...]:
        return held if self.kept_aside else ()

    def take(
        self, held: tuple[Page, ...], leaving: Sequence[int], event: Commit
    ) -> tuple[Page, ...]:
        episodes = self._episodes(held, event)
        known = {frame for episode in episodes for frame in episode}
        new = [frame for frame in leaving if frame not in known]
        for group in _by_chunk(new, len(event.chunk)):
            for episode in self._chosen(episodes, group, event):
                episodes = sorted(self._admit(episodes, episode, event), key=lambda e: e[-1])
        return tuple(page for episode in episodes for page in self._pages(episode))

    def rewind(self, held: tuple[Page, ...], start: int) -> tuple[Page, ...]:
        # what went into a mean cannot be taken out of it
        return tuple(p for p in held if p.kind is Kind.MERGED or p.frames[-1] < start)

    def _episodes(self, held: Sequence[Page], event: Commit) -> list[Episode]:
        if self.update is EpisodeUpdate.MERGE_NEAREST:
            return [tuple(page.frames) for page in held]
        return self._units([page.at for page in held], event)

    def _units(self, frames: Sequence[int], event: Commit) -> list[Episode]:
        if self.unit is Unit.FRAME:
            return [(frame,) for frame in frames]
        start, size = event.chunk.start, len(event.chunk)
        return [tuple(unit) for _, unit in groupby(frames, lambda f: (f - start) // size)]

    def _pages(self, episode: Episode) -> list[Page]:
        if self.update is EpisodeUpdate.MERGE_NEAREST and len(episode) > 1:
            return [Page(Kind.MERGED, episode, episode[-1])]
        if self.pool > 1:
            return [Page(Kind.BLOCK, (frame,), frame) for frame in episode]
        return [frame_page(frame) for frame in episode]

    def _chosen(self, held: list[Episode], group: list[int], event: Commit) -> list[Episode]:
        """Return the candidates of frames that leave together, in the order they come in."""
        if self.update is EpisodeUpdate.OFF or not self.count:
            return []
        units = self._units(group, event)
        first = [unit for unit in units if self._protected(unit, event)]
        if self.update is EpisodeUpdate.FIFO_STRIDE:
            return [u for u in units if u in first or any(f % self.stride == 0 for f in u)]
        if self.update is EpisodeUpdate.RESERVOIR:
            return units
        if self.update is EpisodeUpdate.SCENES:
            # the later, the further from the cut before
            rest = [unit for unit in reversed(units) if unit not in first]
            return sorted([*first, *rest][: self.candidates])
        known = self._known(held, event)
        by_novelty = sorted(units, key=lambda unit: (-self._novelty(unit, known, event), unit))
        rest = [unit for unit in by_novelty if unit not in first]
        return [*first, *rest][: self.candidates]

    def _admit(self, held: list[Episode], new: Episode, event: Commit) -> list[Episode]:
        """Return what is held after one candidate, which may be what it was."""
        forced, known = self._protected(new, event), self._known(held, event)
        new_enough = not self.looks or self._novelty(new, known, event) >= self.threshold
        if len(new) > self.count or not (new_enough or forced):
            return held
        if self.update is EpisodeUpdate.MERGE_NEAREST and len(held) == self.count:
            nearest = max(held, key=lambda episode: self._alike(episode, new, event))
            return [(*e, *new) if e == nearest else e for e in held]
        everyone = [*held, new]
        while len(everyone) > 1 and not self._fits(everyone):
            gone = self._gone(everyone, event)
            everyone = [episode for episode in everyone if episode != gone]
        return everyone

    def _fits(self, episodes: Sequence[Episode]) -> bool:
        if self.update is EpisodeUpdate.MERGE_NEAREST:
            return len(episodes) <= self.count
        return sum(map(len, episodes)) <= self.count

    def _gone(self, everyone: list[Episode], event: Commit) -> Episode:
        """Return the episode that goes; the last of them is the candidate."""
        free = [episode for episode in everyone if not self._protected(episode, event)]
        may_go = free or everyone[:-1]
        match self.update:
            case EpisodeUpdate.SCENES if crowd := self._crowd(everyone, may_go, event):
                # near cuts a scene shows what is in no other of its frames
                return min(
                    (episode for episode in crowd if episode in may_go),
                    key=lambda e: (fmean(self._alike(e, o, event) for o in crowd if o != e), e),
                )
            case EpisodeUpdate.NOVELTY_REPLACE | EpisodeUpdate.SCENES:
                # what is like the sink adds nothing, and the sink stays; of equals the first pair
                known = sorted({*everyone, *self._known(everyone, event)})
                pairs = [p for p in combinations(known, 2) if p[0] in may_go or p[1] in may_go]
                older, newer = max(pairs, key=lambda pair: self._alike(*pair, event))
                return older if older in may_go else newer
            case EpisodeUpdate.REDUNDANCY_EVICT:
                before = [episode for episode in may_go if episode != everyone[-1]] or may_go
                return max(
                    before,
                    key=lambda e: max(self._alike(e, o, event) for o in everyone if o != e),
                )
            case EpisodeUpdate.RESERVOIR:
                return max(may_go, key=lambda episode: _lot(episode[0]))
        return min(may_go)

    def _crowd(
        self, everyone: list[Episode], may_go: list[Episode], event: Commit
    ) -> list[Episode]:
        """Return the episodes of the scene that has most of them, if that is more than one."""
        scenes: dict[int, list[Episode]] = {}
        for episode in everyone:
            scenes.setdefault(event.scene_of(episode[-1]), []).append(episode)
        free = [crowd for crowd in scenes.values() if any(e in may_go for e in crowd)]
        most = max(free, key=len, default=[])
        return most if len(most) > 1 else []

    def _known(self, held: list[Episode], event: Commit) -> list[Episode]:
        return [*held, *((frame,) for frame in event.sink)] if self.against_sink else held

    def _protected(self, episode: Episode, event: Commit) -> bool:
        return self.scene_start and event.scene in episode

    def _novelty(self, episode: Episode, known: Sequence[Episode], event: Commit) -> float:
        return 1 - max((self._alike(episode, other, event) for other in known), default=0.0)

    def _alike(self, one: Episode, other: Episode, event: Commit) -> float:
        if self.update is EpisodeUpdate.MERGE_NEAREST:
            return event.alike(one[-1], other[-1])
        return fmean(event.alike(a, b) for a, b in product(one, other))


def _lot(frame: int) -> int:
    """Return a number that frames are drawn by: the same in every run, without order."""
    return int.from_bytes(blake2b(str(frame).encode(), digest_size=8).digest(), "big")


def _by_chunk(frames: Sequence[int], size: int) -> list[list[int]]:
    return [list(frames[at : at + size]) for at in range(0, len(frames), size)]
