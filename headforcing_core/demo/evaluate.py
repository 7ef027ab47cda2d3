"""Score a demo model: ``python -m headforcing.headforcing_core.demo.evaluate``."""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, fields
from pathlib import Path

from torch import Tensor
from tqdm import tqdm

from ..device import choose_device
from .autoencoder import whole_video
from .methods import method_named
from .model import FAMILY, SHIPPED, DemoModel
from .pictures import draw
from .rollouts import Rolled, roll_side_by_side
from .scene import Cut, Scene
from .score import SceneScore, mean_score, sampled, score_scene
from .stories import held_out
from .world import HELD_OUT, STRIDE, Clip

BATCH = 25
GROUPS: dict[str, Callable[[Scene], bool]] = {
    "all": lambda scene: True,
    "one thing": lambda scene: len(scene.things) == 1 and not scene.pillar,
    "two things": lambda scene: len(scene.things) > 1 and not scene.pillar,
    "pillar": lambda scene: scene.pillar,
}
TRUTH, ROUND_TRIP, MODEL = "truth", "autoencoder", "model"


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    folder = SHIPPED if options.model is None else Path(options.model)
    try:
        model = DemoModel.load(folder, choose_device(options.device))
        result = evaluate(model, options.prompts, options.first, options.seed)
    except (ValueError, RuntimeError, OSError) as error:
        sys.stderr.write(f"evaluate: {str(error).splitlines()[0]}\n")
        return 2
    if options.json:
        Path(options.json).write_text(json.dumps(result, indent=1))
    sys.stdout.write(as_text(result))
    return 0


def evaluate(model: DemoModel, prompts: int, first: int, seed: int) -> dict[str, dict]:
    """Score videos as long as the horizon, beside the world's own and its round trip.

    Args:
        prompts: how many held-out prompts.
        first: number of the first.

    Returns:
        Group of prompts -> how many, and (truth, autoencoder, model) -> shares.
    """
    numbers = range(first, first + prompts)
    scores: dict[str, list[SceneScore]] = {TRUTH: [], ROUND_TRIP: [], MODEL: []}
    scenes = [held_out(number) for number in numbers]
    with tqdm(total=prompts, unit="prompt", desc="scoring") as bar:
        for start in range(0, prompts, BATCH):
            part = scenes[start : start + BATCH]
            for scene, video in zip(part, _generate(model, part, seed + start), strict=True):
                number = numbers[len(scores[MODEL])]
                drawn = draw(Clip(HELD_OUT + number, (Cut(0, scene),), FAMILY.horizon))
                again = whole_video(model.decode(model.encode(drawn[None])))[0]
                scores[TRUTH].append(score_scene(sampled(drawn), scene))
                scores[ROUND_TRIP].append(score_scene(sampled(again), scene))
                scores[MODEL].append(score_scene(video, scene))
                bar.update()
    result = {}
    for group, belongs in GROUPS.items():
        chosen = [at for at, scene in enumerate(scenes) if belongs(scene)]
        if chosen:
            means = {who: mean_score([s[at] for at in chosen]) for who, s in scores.items()}
            result[group] = {"prompts": len(chosen), **{who: asdict(m) for who, m in means.items()}}
    return result


def as_text(result: dict[str, dict]) -> str:
    names = [field.name for field in fields(SceneScore)]
    lines = ["prompts          who          " + "".join(f"{name:>8}" for name in names)]
    for group, scored in result.items():
        for who in (TRUTH, ROUND_TRIP, MODEL):
            label = f"{group} ({scored['prompts']})"
            shares = "".join(f"{scored[who][name]:8.3f}" for name in names)
            lines.append(f"{label:17}{who:13}{shares}")
        ratios = (scored[MODEL][n] / (scored[TRUTH][n] or math.nan) for n in names)
        lines.append(f"{'':17}{'model/truth':13}" + "".join(f"{ratio:8.2f}" for ratio in ratios))
    return "\n".join(lines) + "\n"


def _generate(model: DemoModel, scenes: Sequence[Scene], seed: int) -> list[Tensor]:
    """Return one picture per latent frame for every scene."""
    stories = [(Cut(0, scene),) for scene in scenes]
    rolling = [method_named("rolling")]
    for done in roll_side_by_side(model, stories, rolling, FAMILY.horizon, seed):
        if isinstance(done, list):
            made: list[Rolled] = done
    return [model.decode(latent[None])[0, STRIDE - 1 :: STRIDE] for latent in made[0].latents]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m headforcing.headforcing_core.demo.evaluate",
        description="Score videos of the demo model, as long as its horizon, against held-out "
        "prompts, with the world's own pictures and their round trip through the autoencoder.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add("--prompts", type=int, default=100, metavar="N", help="how many held-out prompts")
    add("--first", type=int, default=0, metavar="N", help="number of the first")
    add("--seed", type=int, default=0, metavar="N", help="of the noise")
    add("--model", metavar="FOLDER", help="a demo model trained elsewhere")
    add("--json", metavar="FILE", help="write the scores there, too")
    add("--device", metavar="NAME", help="cuda, cuda:1, cpu (default: a GPU if there is one)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
