"""What a demo model recalls: ``python -m headforcing.headforcing_core.demo.recall``.

Something leaves and comes back within the horizon. All but the chunk in which it is back is the
world's own video, so that nothing but the model's memory is measured.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from tqdm import tqdm

from ..bounds import check_within, read_numbers
from ..device import choose_device
from ..files import check_place, save_or_rescue, write_text
from ..stopping import stop_if_asked, stopping_once, to_the_end
from ..streams import sturdy_streams
from ..video import check_seed
from .absence import AWAY, CHUNK, Absence, sights, window
from .networks import SHIPPED, DemoModel
from .scores import HIDDEN, Hidden, look_at, sampled

MOST_PROMPTS, MOST_FIRST = 10**5, 10**9
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
    with sturdy_streams() as out:
        options = _parser().parse_args(arguments)
        try:
            with stopping_once():
                _run(options)
        except KeyboardInterrupt:
            return 130
        except (ValueError, RuntimeError, OSError) as error:
            sys.stderr.write(f"recall: {str(error).splitlines()[0]}\n")
            return 2
        out.flush()
        if out.lost:
            sys.stderr.write(f"recall: {out.lost}\n")
        return 2 if out.lost else 0


def _run(options: argparse.Namespace) -> None:
    check_within("--prompts", options.prompts, 2, MOST_PROMPTS)
    check_within("--first", options.first, 0, MOST_FIRST)
    check_seed(options.seed)
    file = Path(options.json).absolute() if options.json else None
    if file is not None:
        check_place(file)
    folder = SHIPPED if options.model is None else Path(options.model)
    model = DemoModel.load(folder, choose_device(options.device))
    numbers = range(options.first, options.first + options.prompts)
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
    if file is not None:
        plain = {h: {a: _plain(s) for a, s in by.items()} for h, by in result.items()}
        content = json.dumps(plain, indent=1)
        to_the_end(lambda: save_or_rescue(lambda p: write_text(p, content), file, "the scores"))


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
    parser = argparse.ArgumentParser(
        prog="python -m headforcing.headforcing_core.demo.recall",
        description="Let a ground or a thing leave and come back within the horizon of the demo "
        "model, in held-out stories whose past is the world's own, and score the shade it comes "
        "back with, beside those of a guess, of a stranger and of who looks at what was seen last.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    read_numbers(parser)
    add = parser.add_argument
    add("--prompts", type=int, default=64, metavar="N", help="how many held-out stories of each")
    add("--first", type=int, default=0, metavar="N", help="number of the first")
    add("--seed", type=int, default=0, metavar="N", help="of the noise")
    add("--model", metavar="FOLDER", help="a demo model trained elsewhere")
    add("--json", metavar="FILE", help="write the scores there, too")
    add("--device", metavar="NAME", help="cuda, cuda:1, cpu (default: a GPU if there is one)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
