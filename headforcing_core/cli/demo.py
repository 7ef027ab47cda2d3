"""``headforcing demo``: the main job on a small model, with nothing to download."""

from __future__ import annotations

import argparse
import logging
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from statistics import median

import torch

from ..checkpoint import load_checkpoint
from ..demo.contact_sheet import latent_sheet
from ..demo.random_model import write_random_checkpoint
from ..families import WAN_VIDEO, family_named
from ..generation import VideoRequest
from ..latent_file import check_writable, is_latent_file
from ..positions import PositionRule
from ..wan import WanModel
from .recording import Recording, record

log = logging.getLogger("headforcing")
TEXT_TOKENS = 16
LATENTS = "latents.safetensors"


def add_parser(commands: argparse._SubParsersAction) -> argparse.ArgumentParser:
    parser = commands.add_parser(
        "demo",
        help="run a 30-second rollout on a tiny model with random weights",
        description="Run a rollout on a tiny model with RANDOM weights: it shows that the rollout, "
        "its caches and its files work on this machine, not what a trained model makes.",
    )
    add = parser.add_argument
    add("--out", default="demo_out", metavar="FOLDER", help="where to write (default demo_out)")
    add("--seconds", type=float, default=30.0, help="length of the video (default 30)")
    add("--width", type=int, default=160, help="pixels, a multiple of 8 (default 160)")
    add("--height", type=int, default=96, help="pixels, a multiple of 8 (default 96)")
    add("--seed", type=int, default=0, help="same seed, same video (default 0)")
    add("--window", type=int, default=9, help="frames a head sees (default 9)")
    add("--sink", type=int, default=1, help="first frames that are never forgotten (default 1)")
    parser.set_defaults(run=run)
    return parser


def run(options: argparse.Namespace) -> int:
    rows, columns = WAN_VIDEO.latent_size(options.width, options.height)
    frames = WAN_VIDEO.latent_frames(options.seconds)
    family = family_named("self_forcing").tuned(window=options.window, sink=options.sink)
    request = VideoRequest(family, frames, rows, columns, options.seed)
    out = Path(options.out)
    _check_folder(out)
    out.mkdir(parents=True, exist_ok=True)
    check_writable(out / LATENTS)
    log.info("the model has RANDOM weights: the picture is noise, the numbers are real")
    model = _random_model()
    rng = torch.Generator().manual_seed(0)
    text = torch.randn(1, TEXT_TOKENS, model.config.text_dim, generator=rng)
    recording = record(request.rollout(model, text), out / LATENTS, request.settings)
    latents = torch.cat(recording.latents, 2)
    latent_sheet(latents[0], every=family.frames_per_chunk).save(out / "latents.png")
    sys.stdout.write(_report(request, model, recording, out))
    return 0


def _random_model() -> WanModel:
    """Load through a file, as every model is loaded."""
    with tempfile.TemporaryDirectory() as folder:
        checkpoint = Path(folder) / "random.safetensors"
        write_random_checkpoint(checkpoint)
        return load_checkpoint(checkpoint, family="self_forcing").model


def _check_folder(out: Path) -> None:
    taken = out.exists() and not (out.is_dir() and not any(out.iterdir()))
    if taken and not is_latent_file(out / LATENTS):
        raise ValueError(
            f"--out must be a new or empty folder, or that of an earlier demo, got {out}"
        )


def _report(request: VideoRequest, model: WanModel, recording: Recording, out: Path) -> str:
    clock, plan = request.clock, request.plan(model)
    keep_all = request.family.tuned(
        window=clock.total_frames, sink=0, positions=PositionRule.ABSOLUTE
    )
    all_bytes = replace(request, family=keep_all).plan(model).bytes
    rows = [
        ("latent frames", f"{clock.total_frames} in {len(clock)} chunks"),
        ("as video", f"{WAN_VIDEO.seconds(clock.total_frames):.1f} s, {WAN_VIDEO.fps} fps"),
        ("a head sees", f"{plan.slots} frames, the first {plan.policy.sink} for ever"),
        ("caches", f"{plan.bytes / 2**20:.1f} MiB at any length"),
        ("to keep all frames", f"{all_bytes / 2**20:.1f} MiB"),
        ("files", f"{out}/{LATENTS}, {out}/latents.png"),
    ]
    quarter = len(clock) // 4
    if quarter:
        early = median(recording.chunk_seconds[quarter : 2 * quarter])
        late = median(recording.chunk_seconds[-quarter:])
        rows.append(("time per chunk", f"last quarter {late / early:.2f} x the second quarter"))
    return "".join(f"{name:21}{value}\n" for name, value in rows)
