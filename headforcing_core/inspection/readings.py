"""What a method keeps and reads, chunk by chunk, without a model: for checking by reading."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ..memory import ArenaPlan, Ledger
from ..methods import Commit, Method, Page, frame_page
from ..video import Chunk, ChunkClock

FLOAT32 = 4
# parts of the past
SINK, MIDDLE, RECENT = "sink", "middle", "recent"
STAND_IN = (
    "two frames are alike by 1 / (1 + distance); band b of a frame is like the next frame's by b; "
    "of single tokens only the frames they are from are told"
)


@dataclass(frozen=True)
class PageRead:
    """One page that is read.

    Args:
        kind: see ``Kind``.
        frames: the frames it is made of.
        position: where RoPE is told it stands.
        relative: the same, from the first frame of the current chunk.
        part: of the past it is in: sink, middle or recent. A name: fitting a method may change it.
    """

    kind: str
    frames: Sequence[int]
    position: int
    relative: int
    part: str = field(default="", compare=False)


@dataclass(frozen=True)
class Reading:
    """What heads of one type read besides the current chunk.

    Args:
        query_frames: those that read this; all of the chunk unless the rule tells them apart.
    """

    query_frames: list[int]
    pages: list[PageRead]


@dataclass(frozen=True)
class TypeInspected:
    """Heads of one type during one chunk.

    Args:
        held_bytes: of one head: what lies in its caches, the current chunk included.
        room_bytes: of one head: what is allocated for it, wherever that lies.
    """

    readings: list[Reading]
    held_bytes: int
    room_bytes: int


@dataclass(frozen=True)
class ChunkInspected:
    """One chunk: its frames, and what each type of head reads."""

    chunk: int
    frames: list[int]
    heads: dict[str, TypeInspected]


class _StandIn(Mapping):
    """Scores that no model made."""

    def __init__(self, score: Callable[[int, int], float]):
        self._score = score

    def __getitem__(self, key: tuple[int, int]) -> float:
        return self._score(*key)

    def __contains__(self, key: object) -> bool:
        return True

    def __iter__(self) -> Iterator:
        return iter(())

    def __len__(self) -> int:
        return 0


LIKENESS = _StandIn(lambda a, b: 1 / (1 + abs(a - b)))
BANDS = _StandIn(lambda frame, band: float(band))


def inspect(
    method: Method,
    clock: ChunkClock,
    horizon: int,
    plans: Mapping[str, ArenaPlan],
    itemsize: int,
    switches: Sequence[int] = (),
) -> Iterator[ChunkInspected]:
    """Follow a method through a video.

    Args:
        plans: head type -> room of one head.
        itemsize: bytes of a number in the caches.
        switches: frames from which another prompt rules.
    """
    per_chunk = clock.frames_per_chunk
    said = [0, *sorted(switches)]
    ledgers = {type_: Ledger(rule, per_chunk, horizon) for type_, rule in method.rules.items()}
    done: list[Chunk] = []
    scenes: tuple[int, ...] = (0,)
    for chunk in clock:
        now = said[bisect_right(said, chunk.start) - 1]
        if done and now > done[-1].start:
            scenes = (*scenes, chunk.start)
            _switch(method, list(ledgers.values()), done, scenes)
        heads = {}
        for type_, ledger in ledgers.items():
            ledger.open(chunk)
            room = plans[type_].bytes(itemsize) + plans[type_].host_bytes(itemsize)
            held = _held(ledger, plans[type_], itemsize)
            heads[type_] = TypeInspected(_readings(ledger, chunk), held, room)
        yield ChunkInspected(chunk.index, list(chunk.frames), heads)
        _commit(ledgers.values(), chunk, scenes)
        done.append(chunk)


def _switch(
    method: Method, ledgers: list[Ledger], done: list[Chunk], scenes: tuple[int, ...]
) -> None:
    for ledger in ledgers:
        ledger.forget(method.switch)
    sink_end = max(ledger.sink_end for ledger in ledgers)
    again = method.switch.recomputed(done, sink_end)
    for ledger in ledgers if again else ():
        ledger.rewind(again[0].start)
    for chunk in again:
        for ledger in ledgers:
            ledger.open(chunk)
        _commit(ledgers, chunk, scenes)


def _commit(ledgers: Iterable[Ledger], chunk: Chunk, scenes: tuple[int, ...]) -> None:
    event = stand_in(chunk, scenes)
    for ledger in ledgers:
        ledger.commit(event)


def stand_in(chunk: Chunk, scenes: tuple[int, ...]) -> Commit:
    """Return what a policy is told of a chunk that no model made.

    Args:
        scenes: first frames of the prompts until then.
    """
    return Commit(chunk, scenes[-1], likeness=LIKENESS, bands=BANDS, scenes=scenes)


def _readings(ledger: Ledger, chunk: Chunk) -> list[Reading]:
    past = ledger.past
    ends = dict.fromkeys(map(frame_page, past.recent), RECENT)
    ends |= dict.fromkeys(map(frame_page, past.sink), SINK)
    runs = [[f] for f in chunk.frames] if ledger.rule.per_frame else [list(chunk.frames)]
    return [
        Reading(
            run,
            [
                PageRead(*_stands(page, at, chunk), ends.get(page, MIDDLE))
                for page, at in ledger.read(run[0]).items()
            ],
        )
        for run in runs
    ]


def _stands(page: Page, position: int, chunk: Chunk) -> tuple[str, Sequence[int], int, int]:
    return page.kind.value, page.frames, position, position - chunk.start


def _held(ledger: Ledger, plan: ArenaPlan, itemsize: int) -> int:
    """Return the bytes that one head's pages take while a chunk is open."""
    places = ledger.places
    shown = sum(page not in places.slots for page in ledger.read(ledger.chunk.start))
    rows = len(places.slots) * plan.tokens + (len(places.aside) + shown) * plan.small_tokens
    turning = len(places.turning) * plan.turning_bytes(itemsize)
    means, tokens, width = plan.sum_shape
    sums = means * tokens * width * FLOAT32 if ledger.past.middle else 0
    return 2 * rows * plan.row_bytes(itemsize) + turning + sums
