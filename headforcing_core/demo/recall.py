"""What a demo model recalls: ``python -m headforcing.headforcing_core.demo.recall``.

Something leaves and comes back within the horizon. All but the chunk in which it is back is the
world's own video, so that nothing but the model's memory is measured.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from tqdm import tqdm

from ..files import check_place
from ..stopping import stop_if_asked
from .absence import AWAY, CHUNK, Absence, sights, window
from .command import (
    carried_out,
    check_options,
    file_of,
    keep_scores,
    model_of,
    numbers_of,
    scoring_parser,
)
from .networks import DemoModel
from .scores import HIDDEN, Hidden, look_at, sampled

MOST_PROMPTS = 10**5
MODEL, CUT_OFF, NEVER = "model", "model, its frames cut off", "model, never seen"
TRUTH, ROUND_TRIP = "truth", "autoencoder"
LEGEND = """\
error (slope) -lost. error: mean absolute RGB, 0 to 1, between the shade before it went and after it
came back; slope: of what came back on what was there, as differences from the middle of what its
word means: 1 is recall, 0 a guess; lost: share in which it did not come back, if any
"""
GUESS, LAST, STRANGER = "a guess: the middle", "what was seen last", "a stranger"


@dataclass(frozen=True)
class Recalled:
    """How well a shade came back, see ``Recollection``; None: it cannot be said."""

    error: float | None
    slope: float | None = None
    lost: float | None = None


def main(arguments: Sequence[str] | None = None) -> int:
    return carried_out("recall", _parser(), _run, arguments)


def _run(options: argparse.Namespace) -> None:
    check_options(options, 2, MOST_PROMPTS)
    file = file_of(options, check_place)
    model, numbers = model_of(options), numbers_of(options)
    result: dict[str, dict[str, dict[str, Recalled]]] = {}
    with tqdm(total=len(HIDDEN) * len(AWAY), unit="table", desc="recalling") as bar:
        for hidden in HIDDEN:
            for away in AWAY:
                scores = recall(model, hidden, numbers, away, options.seed)
                result.setdefault(hidden.name, {})[str(away)] = scores
                bar.update()
                stop_if_asked()
    sys.stdout.write(as_text(result))
    sys.stdout.flush()
    keep_scores(file, {h: {a: _plain(s) for a, s in by.items()} for h, by in result.items()})


def recall(
    model: DemoModel, hidden: Hidden, numbers: Sequence[int], away: int, seed: int
) -> dict[str, Recalled]:
    """Score one thing that is away for some frames, beside who remembers nothing.

    Args:
        numbers: of held-out stories.
        away: frames, whole chunks.
    """
    seen = Absence.of(model, hidden, numbers, away)
    never = Absence.of(model, hidden, numbers, away, seen=False)
    back_in = {
        TRUTH: [look_at(sampled(video)[seen.back :]) for video in seen.videos],
        ROUND_TRIP: sights(model, seen.coded[:, :, seen.back :]),
        MODEL: seen.shown(model, window(seen.frames), seed),
        CUT_OFF: seen.shown(model, window(away + CHUNK), seed),
        NEVER: never.shown(model, window(seen.frames), seed),
    }
    found = {who: seen.recollection(shown) for who, shown in back_in.items()}
    known = {who: Recalled(r.error, r.slope, r.lost) for who, r in found.items()}
    truth, last = found[TRUTH], seen.last_seen if hidden.replaced else None
    nobody = {GUESS: truth.guess, LAST: last, STRANGER: truth.stranger}
    return known | {who: Recalled(error) for who, error in nobody.items()}


def as_text(result: Mapping[str, Mapping[str, Mapping[str, Recalled]]]) -> str:
    """Set who recalls under what is recalled, a column per number of frames away."""
    lines = []
    for hidden, by_away in result.items():
        heads = [f"away {away}" for away in by_away]
        lines.append(f"{hidden:28}" + "".join(f"{head:>20}" for head in heads))
        for who in next(iter(by_away.values())):
            cells = (_cell(scores[who]) for scores in by_away.values())
            lines.append(f"  {who:26}" + "".join(f"{cell:>20}" for cell in cells))
    return "\n".join(lines) + "\n" + LEGEND


def _cell(recalled: Recalled) -> str:
    if recalled.error is None or math.isnan(recalled.error):
        return "-"
    cell = f"{recalled.error:.4f}"
    if recalled.slope is not None and not math.isnan(recalled.slope):
        cell += f" ({recalled.slope:.2f})"
    return cell + (f" -{recalled.lost:.2f}" if recalled.lost else "")


def _plain(scores: Mapping[str, Recalled]) -> dict[str, dict[str, float | None]]:
    def known(value: float | None) -> float | None:
        return None if value is None or math.isnan(value) else round(value, 5)

    return {
        who: {name: known(value) for name, value in asdict(recalled).items()}
        for who, recalled in scores.items()
    }


def _parser() -> argparse.ArgumentParser:
    return scoring_parser(
        "recall",
        "Let a ground or a thing leave and come back within the horizon of the demo model, in "
        "held-out stories whose past is the world's own, and score the shade it comes back with, "
        "beside those of a guess, of a stranger and of who looks at what was seen last.",
        64,
        "stories of each",
    )


if __name__ == "__main__":
    sys.exit(main())
