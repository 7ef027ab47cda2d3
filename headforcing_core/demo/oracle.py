"""Which heads recall: ``python -m headforcing.headforcing_core.demo.oracle``.

Found by intervention, not by looking: in the stories of ``recall``, heads are kept from the frames
of what is to come back. Whatever tells heads apart by looking can be held against it.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass

from tqdm import tqdm

from ..files import check_place
from ..methods import HeadMap, HeadPolicy, HeadRule, Method, PositionRule
from ..stopping import stop_if_asked
from .absence import AWAY, CHUNK, Absence
from .command import (
    carried_out,
    check_options,
    file_of,
    keep_scores,
    model_of,
    numbers_of,
    scoring_parser,
)
from .comparison import Compared
from .networks import CONFIG, DemoModel
from .profiles import maps_of
from .scores import HIDDEN

SEES, BLIND = "oracle.sees", "oracle.blind"
SCHEME = "oracle"
LAYERS, HEADS = CONFIG.layers, CONFIG.heads
MOST_PROMPTS = 10**5
# the longest time away: nothing of what was there is left in a window of as many frames
FAR = AWAY[-1]
# heads that are given sight
COUNTS = (1, 2, 3, 4, 6, 9, 12, 18)
INTERVENTION, CHANCE = "intervention", "chance"

Head = tuple[int, int]
EVERY_HEAD: tuple[Head, ...] = tuple((a, b) for a in range(LAYERS) for b in range(HEADS))


@dataclass(frozen=True)
class Carried:
    """What heads carry of one recollection. Errors are those of ``Recollection``.

    Args:
        all, none: where all heads see what was, and where none does.
        only: ``[L][H]`` where only this head does.
        without: ``[L][H]`` where all others do.
        orders: heads, most needed first, by how that was told.
        given: error where the first so many heads of an order see, one per COUNTS.
    """

    all: float
    none: float
    only: list[list[float]]
    without: list[list[float]]
    orders: dict[str, list[Head]]
    given: dict[str, list[float]]


def sighted(heads: Iterable[Head], frames: int, away: int) -> Compared:
    """Return the method in which some heads see a whole video, and others what came after.

    Args:
        frames: of the video.
        away: last frames that the others see beside the chunk that is made.
    """
    rules = {
        SEES: HeadRule(HeadPolicy(0, frames - CHUNK), PositionRule.ABSOLUTE),
        BLIND: HeadRule(HeadPolicy(0, away), PositionRule.ABSOLUTE),
    }
    chosen = set(heads)
    types = tuple(
        tuple(SEES if (layer, head) in chosen else BLIND for head in range(HEADS))
        for layer in range(LAYERS)
    )
    method = Method("oracle", "some heads see what the others do not", rules, SCHEME)
    return Compared("oracle", method, HeadMap(SCHEME, types))


def carried(
    model: DemoModel, absence: Absence, seed: int, looks: Mapping[str, Sequence[Head]]
) -> Iterator[Carried | None]:
    """Find out which heads carry a recollection; yield None after every try, then what was found.

    Args:
        looks: other orders of heads, by what they look at.
    """

    def error(heads: Iterable[Head]) -> float:
        shown = absence.shown(model, sighted(heads, absence.frames, absence.away), seed)
        return absence.recollection(shown).error

    every = set(EVERY_HEAD)
    whole, none = error(every), error(())
    only, without = [], []
    for head in EVERY_HEAD:
        only.append(error([head]))
        without.append(error(every - {head}))
        yield None
    # a head counts by what it brings alone and by what is missed without it
    gain = {h: (none - only[i]) + (without[i] - whole) for i, h in enumerate(EVERY_HEAD)}
    orders = {INTERVENTION: sorted(EVERY_HEAD, key=lambda head: -gain[head]), **looks}
    given: dict[str, list[float]] = {}
    for name, order in orders.items():
        given[name] = [error(order[:count]) for count in COUNTS]
        yield None
    orders = {name: list(order) for name, order in orders.items()}
    yield Carried(whole, none, _rows(only), _rows(without), orders, given)


def tries(orders: int) -> int:
    """Return how often ``carried`` yields None."""
    return len(EVERY_HEAD) + 1 + orders


def orders_of(head_map: HeadMap) -> dict[str, list[Head]]:
    """Return heads by each thing that a profile measured of them, and by chance."""
    known = head_map.evidence.statistics
    orders = {
        f"profile: {name}": sorted(EVERY_HEAD, key=lambda head: -known[name][head[0]][head[1]])
        for name in ("returns", "sink", "middle")
        if name in known
    }
    dealt = list(EVERY_HEAD)
    random.Random(0).shuffle(dealt)
    return {**orders, CHANCE: dealt}


def main(arguments: Sequence[str] | None = None) -> int:
    return carried_out("oracle", _parser(), _run, arguments)


def _run(options: argparse.Namespace) -> None:
    check_options(options, 2, MOST_PROMPTS)
    file = file_of(options, check_place)
    model, numbers = model_of(options), numbers_of(options)
    looks = orders_of(maps_of(model)["head_forcing"])
    result: dict[str, Carried] = {}
    with tqdm(total=len(HIDDEN) * tries(len(looks)), unit="try", desc="keeping heads away") as bar:
        for hidden in HIDDEN:
            absence = Absence.of(model, hidden, numbers, FAR)
            for found in carried(model, absence, options.seed, looks):
                if found is None:
                    bar.update()
                    stop_if_asked()
                else:
                    result[hidden.name] = found
            sys.stdout.write(as_text(hidden.name, result[hidden.name]))
            sys.stdout.flush()
    found = {name: asdict(each) for name, each in result.items()}
    keep_scores(file, {"away": FAR, "counts": COUNTS, **found})


def as_text(name: str, found: Carried) -> str:
    """Set what was found under headings."""
    lines = [
        f"\n{name}, away for {FAR} frames: error {found.all:.4f} where all heads see what was, "
        f"{found.none:.4f} where none does",
        f"{'':10}only this head sees" + " " * (7 * HEADS - 16) + "all others do",
    ]
    for layer, (only, without) in enumerate(zip(found.only, found.without, strict=True)):
        cells = ("".join(f"{value:7.4f}" for value in row) for row in (only, without))
        lines.append(f"  layer {layer} " + "   ".join(cells))
    lines.append(f"{'error where so many see, by':28}" + "".join(f"{n:8}" for n in COUNTS))
    for order, errors in found.given.items():
        first = " ".join(f"{layer}.{head}" for layer, head in found.orders[order][:4])
        lines.append(f"  {order:26}" + "".join(f"{e:8.4f}" for e in errors) + f"   {first} ...")
    return "\n".join(lines) + "\n"


def _rows(values: Sequence[float]) -> list[list[float]]:
    return [list(values[at : at + HEADS]) for at in range(0, len(values), HEADS)]


def _parser() -> argparse.ArgumentParser:
    return scoring_parser(
        "oracle",
        "Keep heads of the demo model from what is to come back, one by one, and let only one see "
        "it, to find those that carry what it recalls; then give sight to more and more heads, in "
        "that order and in those of a profile.",
        24,
        "stories of each",
    )


if __name__ == "__main__":
    sys.exit(main())
