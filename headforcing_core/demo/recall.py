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

import torch
from torch import Tensor
from tqdm import tqdm

from ..bounds import check_within, read_numbers
from ..device import choose_device
from ..files import check_place, save_or_rescue, write_text
from ..methods import Rolling, SwitchRule
from ..stopping import stop_if_asked, stopping_once, to_the_end
from ..streams import sturdy_streams
from ..video import check_seed
from .comparison import request_for, schedule
from .comparison.methods import Compared
from .networks import FAMILY, SHIPPED, DemoModel
from .scores import HIDDEN, Hidden, Recollection, Sight, absence, look_at, sampled
from .world import HELD_OUT, Clip, Look, Story, draw

CHUNK = FAMILY.frames_per_chunk
# frames away: as long as it is back within the horizon
AWAY = tuple(range(CHUNK, FAMILY.horizon - CHUNK, CHUNK))
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
    back = CHUNK + away
    # two take its place, one after the other, where there is room
    between = [CHUNK, CHUNK + away // CHUNK // 2 * CHUNK][: 1 + (away > CHUNK)]
    cuts, others = (0, *between, back), (1, 2)[: len(between)]
    seen = _Past.of(model, [absence(hidden, n, cuts, (0, *others, 0)) for n in numbers], numbers)
    never = _Past.of(model, [absence(hidden, n, cuts, (3, *others, 0)) for n in numbers], numbers)
    whole = back + CHUNK
    back_in = {
        TRUTH: [look_at(sampled(video)[back:]) for video in seen.videos],
        ROUND_TRIP: _sights(model, seen.coded[:, :, back:]),
        MODEL: _sights(model, _made(model, seen, back, seed, whole)),
        CUT_OFF: _sights(model, _made(model, seen, back, seed, away + CHUNK)),
        NEVER: _sights(model, _made(model, never, back, seed, whole)),
    }
    scenes = [story[0].scene for story in seen.stories]
    before = [
        hidden.seen(look_at(sampled(video)[:CHUNK]), scene)
        for video, scene in zip(seen.videos, scenes, strict=True)
    ]
    found = {
        who: Recollection.of(
            [
                (was, hidden.seen(sight, scene), hidden.middle(scene))
                for was, sight, scene in zip(before, sights, scenes, strict=True)
            ]
        )
        for who, sights in back_in.items()
    }
    known = {who: Recalled(r.error, r.slope, r.lost) for who, r in found.items()}
    return known | _who_remembers_nothing(hidden, numbers, seen.stories, found[TRUTH])


@dataclass(frozen=True)
class _Past:
    """Stories as the world shows them, as pictures and as latents ``[B, C, F, Y, X]``."""

    stories: list[Story]
    videos: list[Tensor]
    coded: Tensor

    @classmethod
    def of(cls, model: DemoModel, stories: list[Story], numbers: Sequence[int]) -> _Past:
        frames = stories[0][-1].start + CHUNK
        pairs = zip(numbers, stories, strict=True)
        videos = [draw(Clip(HELD_OUT + number, story, frames)) for number, story in pairs]
        return cls(stories, videos, model.encode(torch.stack(videos)))


def _who_remembers_nothing(
    hidden: Hidden, numbers: Sequence[int], stories: Sequence[Story], truth: Recollection
) -> dict[str, Recalled]:
    off = []
    for number, story in zip(numbers, stories, strict=True):
        look = Look.of(HELD_OUT + number)
        own, last = (hidden.true(look, cut.scene) for cut in (story[0], story[-2]))
        off.append(float((own - last).abs().mean()))
    return {
        GUESS: Recalled(truth.guess),
        LAST: Recalled(sum(off) / len(off) if hidden.replaced else None),
        STRANGER: Recalled(truth.stranger),
    }


def _made(model: DemoModel, past: _Past, back: int, seed: int, window: int) -> Tensor:
    """Return the chunk that follows ``back`` frames of a past, ``[B, C, CHUNK, Y, X]``."""
    # what was said then stays with what was seen then, as in training
    method = Rolling(window, on_switch=SwitchRule.KEEP).build(CHUNK)
    request = request_for(Compared("window", method), back + CHUNK, seed)
    rollout = request.rollout(model.wan, schedule(model, past.stories))
    *_, last = rollout.run(past.coded[:, :, :back])
    return last.latent.cpu()


def _sights(model: DemoModel, latents: Tensor) -> list[Sight]:
    return [look_at(model.snapshots(latent)) for latent in latents]


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
