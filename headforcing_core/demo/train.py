"""Train the demo model: ``python -m headforcing.headforcing_core.demo.train --work FOLDER``."""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from ..bounds import check_within, read_numbers
from ..device import check_room, choose_device
from ..files import claimed, replacing, write_text
from .networks import CONFIG, FAMILY, LATENT_SIDE, Autoencoder, DemoModel, save_model
from .training import (
    REMEMBERED_FROM,
    RETURNING,
    TRAINED_ON,
    Clips,
    Training,
    check_optimisers,
    finishing,
    learning,
    make_clips,
    random_clip,
    remembering,
    returning_clip,
    train_autoencoder,
)
from .world import HELD_OUT, Clip

log = logging.getLogger("headforcing")
# the trainings that follow each other, by what a model learns in them
DRAWING, REMEMBERING, FINISHING = "drawing", "remembering", "finishing"
# share of the way from the model that draws to the one that remembers at which both are had:
# drawing falls behind from 0.85 on, remembering is half as exact at 0.5
REMEMBERED = 0.7
# each step draws with a seed of its own, a thousand million of them between two trainings
MOST_SEED = 10**10
# a week, at about a second each
MOST_STEPS = 600_000
# latents in float16, which are there in parts and as a whole
CLIP_BYTES = 2 * CONFIG.in_dim * FAMILY.horizon * LATENT_SIDE**2


@dataclass(frozen=True)
class Workplace:
    """What a training leaves on disk, so that it can be interrupted and looked at."""

    folder: Path

    @property
    def autoencoder(self) -> Path:
        return self.folder / "autoencoder.safetensors"

    @property
    def clips(self) -> Path:
        """What is remembered from."""
        return self.folder / "returning_clips.safetensors"

    @property
    def result(self) -> Path:
        """The model that the last of the trainings gives."""
        return self.folder / "weights"

    def part(self, name: str) -> Part:
        """Return the place of one of the trainings."""
        return Part(self.folder / name)


@dataclass(frozen=True)
class Part:
    """One of the trainings that follow each other."""

    folder: Path

    @property
    def result(self) -> Path:
        """The model that the next one begins with."""
        return self.folder / "weights"

    @property
    def clips(self) -> Path:
        return self.folder / "clips.safetensors"

    @property
    def state(self) -> Path:
        return self.folder / "training.pt"

    @property
    def log(self) -> Path:
        return self.folder / "losses.jsonl"


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    try:
        train(options)
    except KeyboardInterrupt:
        log.info("stopped; the same command goes on from what was saved in %s", options.work)
        return 130
    except (ValueError, RuntimeError, OSError, SafetensorError) as error:
        sys.stderr.write(f"train: {str(error).splitlines()[0]}\n")
        return 2
    return 0


def train(options: argparse.Namespace) -> None:
    """Run what is not yet done of a training, and write the model it gives.

    Raises:
        ValueError: if an option makes no sense, or the folder holds another training.
    """
    check_optimisers()
    _check(options)
    device = choose_device(options.device)
    place = Workplace(Path(options.work))
    place.folder.mkdir(parents=True, exist_ok=True)
    with claimed(place.folder):
        _train(place, options, device)


def _train(place: Workplace, options: argparse.Namespace, device: torch.device) -> None:
    # threads of a step work on parts of a batch; more, which wait for each other, are in their way,
    # and on cores that have other work, too, hardly move
    torch.set_num_threads(1)
    draws = Path(options.start) if options.start else _learn(place, options, device)
    begin = _remember(place, REMEMBERING, options, device, draws)
    finished = _remember(place, FINISHING, options, device, begin)
    _save_between(draws, finished, place.result)
    log.info("wrote %s", place.result)


def _save_between(draws: Path, remembers: Path, result: Path) -> None:
    """Write the model whose weights lie between those of two, on a straight line.

    It draws as the first does, and remembers nearly as the second.

    Source: robust fine-tuning, WiSE-FT (arXiv 2109.01903).
    """
    one, other = DemoModel.load(draws), DemoModel.load(remembers)
    between = [
        {name: torch.lerp(first[name], last[name], REMEMBERED) for name in last}
        for first, last in (
            (one.wan.state_dict(), other.wan.state_dict()),
            (one.text_encoder.state_dict(), other.text_encoder.state_dict()),
        )
    ]
    save_model(result, *between, other.autoencoder.state_dict(), CONFIG)


def _learn(place: Workplace, options: argparse.Namespace, device: torch.device) -> Path:
    """Train a model that draws; return the folder of its weights."""
    part = place.part(DRAWING)
    part.folder.mkdir(exist_ok=True)
    autoencoder = _autoencoder(place, options, device)
    clips = _clips(part.clips, options.threads, autoencoder, options.clips, 0, random_clip)
    recipe = learning(options.steps, options.seed)
    _run(part, Training(CONFIG, recipe, clips, device, options.threads), autoencoder)
    return part.result


def _remember(
    place: Workplace, name: str, options: argparse.Namespace, device: torch.device, begin: Path
) -> Path:
    """Train a model that draws to remember, from weights as they ship; return the folder."""
    part = place.part(name)
    part.folder.mkdir(exist_ok=True)
    model = DemoModel.load(begin)
    known = {f"model.{name}": w for name, w in model.wan.state_dict().items()}
    known |= {f"text_encoder.{name}": w for name, w in model.text_encoder.state_dict().items()}
    drawn = (options.recall_clips, RETURNING, returning_clip)
    clips = _clips(place.clips, options.threads, model.autoencoder, *drawn)
    if name == REMEMBERING:
        recipe = remembering(options.recall_steps, options.seed)
    else:
        recipe = finishing(options.finish_steps, options.seed)
    training = Training(CONFIG, recipe, clips, device, options.threads, known)
    _run(part, training, model.autoencoder)
    return part.result


def _run(part: Part, training: Training, autoencoder: Autoencoder) -> None:
    """Run what is not yet done of one training, and write the model it gives."""
    if part.state.exists():
        training.load(part.state)
        log.info("going on from step %d of %s", training.step, part.folder.name)
    for line in training.run(part.state, part.log):
        log.debug("%s", line)
    weights = training.networks.state_dict() | training.average
    parts = {
        name: {n.removeprefix(name + "."): w for n, w in weights.items() if n.startswith(name)}
        for name in ("model", "text_encoder")
    }
    save_model(part.result, parts["model"], parts["text_encoder"], autoencoder.state_dict(), CONFIG)
    made = {**asdict(training.recipe), "seconds": round(training.seconds)}
    write_text(part.result / "recipe.json", json.dumps(made, indent=1))


def _check(options: argparse.Namespace) -> None:
    check_within("--seed", options.seed, 0, MOST_SEED)
    check_within("--steps", options.steps, 1, MOST_STEPS)
    check_within("--autoencoder-steps", options.autoencoder_steps, 1, MOST_STEPS)
    check_within("--recall-steps", options.recall_steps, 1, MOST_STEPS)
    check_within("--finish-steps", options.finish_steps, 1, MOST_STEPS)
    check_within("--clips", options.clips, 1, RETURNING)
    check_within("--recall-clips", options.recall_clips, 1, HELD_OUT - RETURNING)
    # each is a process while clips are drawn
    check_within("--threads", options.threads, 1, os.cpu_count() or 1)
    most = max(options.clips, options.recall_clips)
    check_room("the clips", 2 * most * CLIP_BYTES, "cpu", "use fewer --clips or --recall-clips")


def _autoencoder(
    place: Workplace, options: argparse.Namespace, device: torch.device
) -> Autoencoder:
    made_with = {"steps": options.autoencoder_steps, "seed": options.seed}
    if place.autoencoder.exists():
        model = Autoencoder()
        model.load_state_dict(_load(place.autoencoder, made_with))
        return model.requires_grad_(False)
    model, quality = train_autoencoder(options.autoencoder_steps, options.seed, device)
    log.info("autoencoder: %.1f dB on held-out clips", quality)
    _save(model.state_dict(), place.autoencoder, made_with)
    return model


def _clips(
    path: Path,
    workers: int,
    autoencoder: Autoencoder,
    count: int,
    first_seed: int,
    draw_clip: Callable[[int], Clip],
) -> Clips:
    made_with = {"clips": count}
    if not path.exists():
        made = make_clips(autoencoder, count, workers, first_seed, draw_clip)
        _save(made._asdict(), path, made_with)
    return Clips(**_load(path, made_with))


def _save(tensors: Mapping[str, Tensor], path: Path, made_with: Mapping[str, int]) -> None:
    """Write a file whole or not at all: what exists is taken for finished."""
    with replacing(path) as partial:
        save_file(dict(tensors), partial, {name: str(value) for name, value in made_with.items()})


def _load(path: Path, made_with: Mapping[str, int]) -> dict[str, Tensor]:
    """Read what an earlier run made with the same options.

    Raises:
        ValueError: if they were others.
    """
    with safe_open(path, "pt") as file:
        known = file.metadata() or {}
    if known != {name: str(value) for name, value in made_with.items()}:
        raise ValueError(
            f"--work must be gone on with as it was begun: {path.name} there was made with "
            f"{known}, got {dict(made_with)}; choose another folder"
        )
    return load_file(path)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m headforcing.headforcing_core.demo.train",
        description="Train the demo model from nothing: its autoencoder, then its video model and "
        "text encoder. Ctrl-C stops; the same command goes on.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    read_numbers(parser)
    add = parser.add_argument
    add("--work", required=True, metavar="FOLDER", help="where everything is kept")
    add("--steps", type=int, default=7_500, metavar="N", help="of the video model, in all")
    add("--autoencoder-steps", type=int, default=2000, metavar="N", help="of the autoencoder")
    add("--clips", type=int, default=TRAINED_ON, metavar="N", help="clips to learn from")
    more = "steps in which the model that draws learns to remember"
    add("--recall-steps", type=int, default=2400, metavar="N", help=more)
    more = "steps in which it learns to do both"
    add("--finish-steps", type=int, default=1400, metavar="N", help=more)
    more = "clips to remember from"
    add("--recall-clips", type=int, default=REMEMBERED_FROM, metavar="N", help=more)
    more = "weights of a model that draws: it only learns to remember"
    add("--from", dest="start", metavar="FOLDER", help=more)
    add("--seed", type=int, default=0, metavar="N", help="same seed, same model on one machine")
    add("--device", metavar="NAME", help="cuda, cuda:1, cpu (default: a GPU if there is one)")
    add("--threads", type=int, default=torch.get_num_threads(), metavar="N", help="CPU threads")
    return parser


if __name__ == "__main__":
    sys.exit(main())
