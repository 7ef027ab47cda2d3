"""How the demo's video model and text encoder are trained."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from functools import partial
from math import ceil
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn
from tqdm import tqdm

from ...files import replacing
from ...models import WanConfig, WanModel, fingerprint
from ...video import TRAINING_STEPS, Rope
from ..networks import TextEncoder
from .recipe import Recipe
from .teacher_forcing import TeacherForcing
from .training_data import CHUNK, Clips

SAVE_EVERY = 250
LOG_EVERY = 50
# most clips of a batch that one thread learns from at a time
PART = 4


class Batch(NamedTuple):
    """Clips of n chunks, and the noise that is put on m copies of them.

    clean: ``[B, C, F, Y, X]``. words: ``[B, n, TOKENS]``. weights: ``[B, n]``, how much a chunk
    counts. sigma: ``[B, m F]``. noise: ``[B, C, m F, Y, X]``.
    """

    clean: Tensor
    words: Tensor
    weights: Tensor
    sigma: Tensor
    noise: Tensor


class Trained(nn.Module):
    """The two networks that learn together."""

    def __init__(self, config: WanConfig):
        super().__init__()
        self.model = WanModel(config)
        self.text_encoder = TextEncoder(config.text_dim)


def check_optimisers() -> None:
    """Refuse a torch that lacks what the training needs."""
    if not hasattr(torch.optim, "Muon"):
        raise RuntimeError(f"training needs torch 2.9 or newer, got {torch.__version__}")


def fresh(config: WanConfig, seed: int) -> Trained:
    """Return untrained networks."""
    torch.manual_seed(seed)
    networks = Trained(config)
    for name, weight in networks.model.named_parameters():
        if name.endswith("modulation"):
            nn.init.normal_(weight, std=config.dim**-0.5)
    nn.init.zeros_(networks.model.head.head.weight)
    nn.init.zeros_(networks.model.head.head.bias)
    nn.init.normal_(networks.text_encoder.places, std=0.02)
    return networks


class Training:
    """The state of a training, which can be saved, loaded and gone on with.

    Args:
        config: sizes of the video model.
        recipe: everything else that decides what is learned.
        clips: what it is learned from.
        threads: on a CPU, parts of a batch that are worked on at the same time.
        begin: weights of ``Trained`` that it begins with; None: random ones.
    """

    def __init__(
        self,
        config: WanConfig,
        recipe: Recipe,
        clips: Clips,
        device: torch.device,
        threads: int = 1,
        begin: Mapping[str, Tensor] | None = None,
    ):
        self.config, self.recipe, self.clips, self.device = config, recipe, clips, device
        self.networks = fresh(config, recipe.seed).to(device)
        self.begun = None if begin is None else fingerprint(begin)
        if begin is not None:
            self.networks.load_state_dict(begin)
        self.average = {n: w.detach().clone() for n, w in self.networks.named_parameters()}
        self.step, self.seconds = 0, 0.0
        self.threads = None
        if device.type == "cpu":
            one_each = partial(torch.set_num_threads, 1)
            self.threads = ThreadPoolExecutor(threads, initializer=one_each)
        self.workers = threads
        matrices = [w for w in self.networks.model.blocks.parameters() if w.ndim == 2]
        chosen = {id(w) for w in matrices}
        rest = [w for w in self.networks.parameters() if id(w) not in chosen]
        self.optimisers = [
            torch.optim.Muon(
                matrices, recipe.rate, weight_decay=0.01, adjust_lr_fn="match_rms_adamw"
            ),
            torch.optim.AdamW(rest, recipe.rate, weight_decay=0.01, betas=(0.9, 0.98)),
        ]

    def run(self, state_file: Path, log_file: Path) -> Iterator[dict[str, float]]:
        """Train to the end, saving as it goes; yield what is logged."""
        begin, told = time.perf_counter() - self.seconds, []
        self._forget_later(log_file)
        with tqdm(total=self.recipe.steps, initial=self.step, unit="step", desc="model") as bar:
            while self.step < self.recipe.steps:
                told.append(self._one_step())
                self.seconds = time.perf_counter() - begin
                bar.update()
                if self.step % LOG_EVERY == 0 or self.step == self.recipe.steps:
                    line = self._summary(torch.stack(told).mean(0).tolist())
                    told = []
                    bar.set_postfix(first=line["first"], later=line["later"])
                    with log_file.open("a") as log:
                        log.write(json.dumps(line) + "\n")
                    yield line
                if self.step % SAVE_EVERY == 0 or self.step == self.recipe.steps:
                    self.save(state_file)

    def _forget_later(self, log_file: Path) -> None:
        """Drop what was logged after the state was saved that this training goes on from."""
        lines = log_file.read_text().splitlines() if log_file.exists() else []
        kept = [line for line in lines if json.loads(line)["step"] <= self.step]
        log_file.write_text("".join(line + "\n" for line in kept))

    def _summary(self, losses: list[float]) -> dict[str, float]:
        first, later = (round(loss, 4) for loss in losses)
        return {"step": self.step, "first": first, "later": later, "seconds": round(self.seconds)}

    def _one_step(self) -> Tensor:
        """Learn from one batch; return the mean error of first and of later chunks."""
        rate = self.recipe.rate_at(self.step)
        errors = self._learn(self._draw())
        nn.utils.clip_grad_norm_(self.networks.parameters(), 1.0)
        for optimiser in self.optimisers:
            for group in optimiser.param_groups:
                group["lr"] = rate
            optimiser.step()
        self.step += 1
        keep = min(self.recipe.average, (1 + self.step) / (10 + self.step))
        with torch.no_grad():
            now = [w.detach() for w in self.networks.parameters()]
            torch._foreach_lerp_(list(self.average.values()), now, 1 - keep)
        return torch.stack([errors[:, 0].mean(), errors[:, 1:].mean()])

    def _draw(self) -> Batch:
        stage, recipe = self.recipe.stage(self.step), self.recipe
        rng = torch.Generator().manual_seed(recipe.seed * 10**9 + self.step)
        pick = torch.randint(len(self.clips.latents), (stage.batch,), generator=rng)
        clean = self.clips.latents[pick, :, : stage.chunks * CHUNK].float()
        levels = recipe.sigmas((stage.batch, stage.copies * stage.chunks), rng)
        batch = Batch(
            clean=clean,
            words=self.clips.words[pick, : stage.chunks].long(),
            weights=self.clips.weights[pick, : stage.chunks],
            sigma=levels.repeat_interleave(CHUNK, 1),
            noise=torch.randn(clean.repeat(1, 1, stage.copies, 1, 1).shape, generator=rng),
        )
        return Batch(*(x.to(self.device) for x in batch))

    def _learn(self, batch: Batch) -> Tensor:
        """Set the gradients of the mean error; return the errors, ``[B, chunks]``."""
        parts = [batch]
        if self.threads:
            # small parts stay in a core's cache, and threads that share nothing wait for nothing
            rounds = ceil(len(batch.clean) / (PART * self.workers))
            size = ceil(len(batch.clean) / (rounds * self.workers))
            parts = [Batch(*part) for part in zip(*(x.split(size) for x in batch), strict=True)]
        done = list((self.threads.map if self.threads else map)(self._gradients, parts))
        for weight, *grads in zip(self.networks.parameters(), *(g for _, g in done), strict=True):
            weight.grad = torch.stack(grads).sum(0) / len(batch.clean)
        return torch.cat([errors for errors, _ in done])

    def _gradients(self, batch: Batch) -> tuple[Tensor, tuple[Tensor, ...]]:
        errors = self._errors(batch)
        total = (batch.weights * errors).mean(1).sum()
        return errors.detach(), torch.autograd.grad(total, list(self.networks.parameters()))

    def _errors(self, batch: Batch) -> Tensor:
        """Return the error of the flow for every clip and chunk, ``[B, chunks]``."""
        clean, words, _, sigma, noise = batch
        frames = clean.shape[2]
        copies = sigma.shape[1] // frames
        mix = sigma[:, None, :, None, None]
        target = clean.repeat(1, 1, copies, 1, 1)
        both = torch.cat([clean, (1 - mix) * target + mix * noise], 2)
        timesteps = TRAINING_STEPS * torch.cat([torch.zeros_like(sigma[:, :frames]), sigma], 1)
        with torch.autocast(self.device.type, torch.bfloat16):
            rows = self.networks.text_encoder(words.flatten(0, 1)).unflatten(0, words.shape[:2])
            rows = rows.repeat(1, 1 + copies, 1, 1).flatten(0, 1)
            text = self.networks.model.project_text(rows)
            guess = self.networks.model(both, timesteps, text, self._attend(clean, copies))
        error = (guess[:, :, frames:].float() - target) / mix
        return error.unflatten(2, (copies, -1, CHUNK)).square().mean((1, 2, 4, 5, 6))

    def _attend(self, clean: Tensor, copies: int) -> TeacherForcing:
        grid = self.config.grid(*clean.shape[3:])
        rope = Rope(self.config.geometry.head_dim, grid)
        rotation = rope.frames(range(clean.shape[2]), self.device)
        return TeacherForcing(rotation, CHUNK * grid.tokens_per_frame, copies)

    def save(self, path: Path) -> None:
        state = {
            "recipe": asdict(self.recipe),
            "begun": self.begun,
            "step": self.step,
            "seconds": self.seconds,
            "networks": self.networks.state_dict(),
            "average": self.average,
            "optimisers": [o.state_dict() for o in self.optimisers],
        }
        with replacing(path) as file:
            torch.save(state, file)

    def load(self, path: Path) -> None:
        """Go on from where another training with the same recipe was saved.

        Raises:
            ValueError: if its recipe was another, or it began with other weights.
        """
        state = torch.load(path, map_location=self.device, weights_only=True)
        if state["recipe"] != asdict(self.recipe):
            raise ValueError(
                f"a training must be resumed with the recipe it began with, got another in {path}; "
                "choose another --work folder"
            )
        if state["begun"] != self.begun:
            raise ValueError(
                f"a training must be resumed with the weights it began with, got others in {path}; "
                "choose another --work folder"
            )
        self.step, self.seconds = state["step"], state["seconds"]
        self.networks.load_state_dict(state["networks"])
        self.average = state["average"]
        for optimiser, saved in zip(self.optimisers, state["optimisers"], strict=True):
            optimiser.load_state_dict(saved)
