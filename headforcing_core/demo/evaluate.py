"""Score a demo model: ``python -m headforcing.headforcing_core.demo.evaluate``."""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import NamedTuple

from torch import Tensor
from tqdm import tqdm

from ..bounds import check_week
from ..files import check_place, json_of
from ..stopping import stop_if_asked
from .command import (
    carried_out,
    check_options,
    file_of,
    keep_scores,
    model_of,
    numbers_of,
    scoring_parser,
)
from .comparison import finished, roll_side_by_side, without_map
from .networks import FAMILY, DemoModel, whole_video
from .scores import SceneScore, held_out, look_at, mean_score, sampled, score_scene, settled
from .training import trained_prompts
from .world import HELD_OUT, Clip, Cut, Scene, draw

BATCH = 25
MOST_PROMPTS = 10**6
GROUPS: dict[str, Callable[[Scene], bool]] = {
    "all": lambda scene: True,
    "one thing": lambda scene: len(scene.things) == 1,
    "two things": lambda scene: len(scene.things) > 1,
    "said in training": lambda scene: scene.text in trained_prompts(),
    "never said": lambda scene: scene.text not in trained_prompts(),
}
TRUTH, ROUND_TRIP, MODEL = "truth", "autoencoder", "model"


def main(arguments: Sequence[str] | None = None) -> int:
    return carried_out("evaluate", _parser(), _run, arguments)


def _run(options: argparse.Namespace) -> None:
    check_options(options, 1, MOST_PROMPTS)
    check_week(options.prompts * FAMILY.horizon, "use fewer --prompts")
    file = file_of(options, _check_place)
    model = model_of(options)
    with tqdm(total=options.prompts, unit="prompt", desc="scoring") as bar:
        scores = list(_watched(evaluate(model, numbers_of(options), options.seed), bar))
    result = grouped(scores)
    sys.stdout.write(as_text(result))
    sys.stdout.flush()
    keep_scores(file, result)


def _check_place(file: Path) -> None:
    """Refuse a file of something else: scores may replace only scores."""
    check_place(file)
    if not file.exists():
        return
    try:
        known = json_of(file.read_text("utf-8"))
    except ValueError:
        known = None
    if not isinstance(known, dict) or not known.keys() <= GROUPS.keys():
        raise ValueError(
            f"--json must be a new file or hold scores, got {file}, which is something else"
        )


def _watched(scores: Iterator[Evaluated], bar: tqdm) -> Iterator[Evaluated]:
    for score in scores:
        bar.update()
        stop_if_asked()
        yield score


class Evaluated(NamedTuple):
    """The scores of one prompt: of the model, beside the world's own and its round trip."""

    scene: Scene
    scores: dict[str, SceneScore]


def evaluate(model: DemoModel, numbers: Sequence[int], seed: int) -> Iterator[Evaluated]:
    """Score videos as long as the horizon, of held-out prompts."""
    for start in range(0, len(numbers), BATCH):
        part = numbers[start : start + BATCH]
        scenes = [held_out(number) for number in part]
        videos = _generate(model, scenes, seed + start)
        for number, scene, video in zip(part, scenes, videos, strict=True):
            drawn = draw(Clip(HELD_OUT + number, (Cut(0, scene),), FAMILY.horizon))
            again = whole_video(model.decode(model.encode(drawn[None])))[0]
            truth = score_scene(look_at(sampled(drawn)), scene)
            others = {ROUND_TRIP: sampled(again), MODEL: video}
            scores = {
                who: settled(score_scene(look_at(pictures), scene), truth)
                for who, pictures in others.items()
            }
            yield Evaluated(scene, {TRUTH: truth, **scores})


def grouped(scores: Sequence[Evaluated]) -> dict[str, dict[str, object]]:
    """Average scores: group of prompts -> how many, and (truth, autoencoder, model) -> shares.

    A share that could not be judged in any prompt of a group is None.
    """
    result = {}
    for group, belongs in GROUPS.items():
        chosen = [evaluated.scores for evaluated in scores if belongs(evaluated.scene)]
        if chosen:
            means = {who: mean_score([s[who] for s in chosen]) for who in chosen[0]}
            shares = {who: _plain(asdict(mean)) for who, mean in means.items()}
            result[group] = {"prompts": len(chosen), **shares}
    return result


def as_text(result: Mapping[str, Mapping[str, object]]) -> str:
    """Set the groups under each other, with the model's share of the truth's."""
    names = [field.name for field in fields(SceneScore)]
    lines = [f"{'prompts':23}{'who':13}" + "".join(f"{name:>8}" for name in names)]
    for group, scored in result.items():
        label = f"{group} ({scored['prompts']})"
        for who in (TRUTH, ROUND_TRIP, MODEL):
            lines.append(f"{label:23}{who:13}" + "".join(_cell(scored[who][n], 3) for n in names))
        ratios = (_ratio(scored[MODEL][n], scored[TRUTH][n]) for n in names)
        lines.append(f"{'':23}{'model/truth':13}" + "".join(_cell(ratio, 2) for ratio in ratios))
    return "\n".join(lines) + "\n"


def _plain(shares: Mapping[str, float]) -> dict[str, float | None]:
    return {name: None if math.isnan(x) else round(x, 4) for name, x in shares.items()}


def _ratio(share: float | None, of: float | None) -> float | None:
    return share / of if of and share is not None else None


def _cell(value: float | None, decimals: int) -> str:
    return f"{'-':>8}" if value is None else f"{value:8.{decimals}f}"


def _generate(model: DemoModel, scenes: Sequence[Scene], seed: int) -> list[Tensor]:
    """Return one picture per latent frame for every scene."""
    stories = [(Cut(0, scene),) for scene in scenes]
    rolling = roll_side_by_side(model, stories, [without_map("rolling")], FAMILY.horizon, seed)
    (made,) = finished(rolling)
    return [model.snapshots(latent) for latent in made.latents]


def _parser() -> argparse.ArgumentParser:
    return scoring_parser(
        "evaluate",
        "Score videos of the demo model, as long as its horizon, against held-out prompts, with "
        "the world's own pictures and their round trip through the autoencoder.",
        100,
        "prompts",
    )


if __name__ == "__main__":
    sys.exit(main())
