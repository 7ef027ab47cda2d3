"""The trainings of the demo model that follow each other, and what they leave on disk."""

from __future__ import annotations

import argparse
import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from ..files import replacing, write_text
from ..models import fingerprint
from .networks import CONFIG, Autoencoder, DemoModel, save_model
from .training import (
    RETURNING,
    Clips,
    Training,
    finishing,
    learning,
    make_clips,
    random_clip,
    remembering,
    returning_clip,
    train_autoencoder,
)
from .world import Clip

log = logging.getLogger("headforcing")
# the trainings that follow each other, by what a model learns in them
DRAWING, REMEMBERING, FINISHING = "drawing", "remembering", "finishing"
# share of the way from the model that draws to the one that remembers at which both are had:
# drawing falls behind from 0.85 on, remembering is half as exact at 0.5
REMEMBERED = 0.7


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


def train_all(place: Workplace, options: argparse.Namespace, device: torch.device) -> None:
    """Run what is not yet done of all of them, and write the model they give.

    Args:
        options: of the command.

    Raises:
        ValueError: if the folder holds another training.
    """
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
    made_with = {"clips": count, "autoencoder": fingerprint(autoencoder.state_dict())}
    if not path.exists():
        made = make_clips(autoencoder, count, workers, first_seed, draw_clip)
        _save(made._asdict(), path, made_with)
    return Clips(**_load(path, made_with))


def _save(tensors: Mapping[str, Tensor], path: Path, made_with: Mapping[str, int | str]) -> None:
    """Write a file whole or not at all: what exists is taken for finished."""
    with replacing(path) as partial:
        save_file(dict(tensors), partial, {name: str(value) for name, value in made_with.items()})


def _load(path: Path, made_with: Mapping[str, int | str]) -> dict[str, Tensor]:
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
