"""``headforcing demo``: the main job on the model that ships, with nothing to download."""

from __future__ import annotations

import argparse
import logging
import sys
import time
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from ..demo.contact_sheet import contact_sheet
from ..demo.memory import delay, ground_change, shade_changes
from ..demo.methods import METHODS, method_named
from ..demo.model import FAMILY, LATENT_SIDE, SHIPPED, VIDEO, DemoModel
from ..demo.rollouts import schedule
from ..demo.scene import WORDS, Cut, Story, parse, scene_at
from ..demo.score import sampled
from ..demo.world import FPS, SIDE, STRIDE
from ..device import choose_device
from ..generation import VideoRequest
from ..latent_file import check_writable, is_latent_file
from ..positions import PositionRule
from ..rollout import FinishedChunk
from ..video_file import VideoWriter
from .recording import Recording, record

log = logging.getLogger("headforcing")
LATENTS, VIDEO_FILE, SHEET = "latents.safetensors", "video.mp4", "contact_sheet.png"
PROMPTS = (
    "a red ball and a blue square moving slowly on striped navy",
    "a yellow ring and a blue square moving slowly on striped navy",
    "a red ball and a blue square moving fast on striped navy",
)
# stretches that are held against each other, in frames
STRETCH = 24
# latent frames between two pictures of the contact sheet
SHEET_STEP = 3


def add_parser(commands: argparse._SubParsersAction) -> argparse.ArgumentParser:
    parser = commands.add_parser(
        "demo",
        help="make a 30-second video with the small model that ships",
        description="Make a video with the small model that ships: no download, no GPU. It knows "
        "a world of shapes; prompts take their place one after the other.",
        epilog="Words the model knows: " + ", ".join(WORDS),
    )
    add = parser.add_argument
    add("--out", default="demo_out", metavar="FOLDER", help="where to write (default demo_out)")
    add("--seconds", type=float, default=30.0, metavar="N", help="length (default 30)")
    add(
        "--prompt",
        action="append",
        metavar="TEXT",
        help="can be repeated; prompts share the time evenly. Default: " + "; ".join(PROMPTS),
    )
    add("--seed", type=int, default=0, metavar="N", help="same seed, same video (default 0)")
    add(
        "--method",
        default="sink_window",
        metavar="NAME",
        help=f"what is remembered: {', '.join(m.name for m in METHODS)} (default sink_window)",
    )
    add("--window", type=int, metavar="N", help="frames a head sees, instead of the method's")
    add("--sink", type=int, metavar="N", help="first frames never forgotten, likewise")
    add("--zoom", type=int, default=6, metavar="N", help=f"times {SIDE} pixels (default 6)")
    add("--model", metavar="FOLDER", help="a demo model trained elsewhere (default the shipped)")
    add("--device", metavar="NAME", help="cuda, cuda:1, cpu (default: a GPU if there is one)")
    parser.set_defaults(run=run)
    return parser


def run(options: argparse.Namespace) -> int:
    request = _request(options)
    story = story_of(options.prompt or PROMPTS, request.clock.total_frames)
    if not 1 <= options.zoom <= 64:
        raise ValueError(f"--zoom must be 1 to 64, got {options.zoom}")
    out = Path(options.out)
    _check_folder(out)
    out.mkdir(parents=True, exist_ok=True)
    check_writable(out / LATENTS)
    folder = SHIPPED if options.model is None else Path(options.model)
    model = DemoModel.load(folder, choose_device(options.device))
    rollout = request.rollout(model.wan, schedule(model, [story]))
    settings = {**request.settings, "prompts": {c.start: c.scene.text for c in story}}
    begin = time.perf_counter()
    with VideoWriter(out / VIDEO_FILE, SIDE, SIDE, FPS, options.zoom) as video:
        screen = Screen(model, video)
        recording = record(rollout, out / LATENTS, settings, watch=screen.show)
    seconds = time.perf_counter() - begin
    pictures = torch.cat(screen.pictures)
    _sheet(pictures, story).save(out / SHEET)
    rows = _report(request, model, recording, seconds) + _seen(sampled(pictures), story)
    rows.append(("files", ", ".join(f"{out}/{name}" for name in (VIDEO_FILE, SHEET, LATENTS))))
    sys.stdout.write("".join(f"{name:20}{value}\n" for name, value in rows))
    return 0


class Screen:
    """Where finished chunks are decoded to, one by one, while the next is not yet begun."""

    def __init__(self, model: DemoModel, video: VideoWriter):
        self.model, self.video = model, video
        self.pictures: list[Tensor] = []

    def show(self, done: FinishedChunk) -> None:
        pictures = self.model.decode(done.latent)[0]
        if done.chunk.start == 0:
            pictures = pictures[STRIDE - 1 :]
        self.video.write(pictures)
        self.pictures.append(pictures)


def story_of(prompts: list[str] | tuple[str, ...], frames: int) -> Story:
    """Give each prompt an equal share of a video, beginning where a chunk begins.

    Raises:
        ValueError: if there are more prompts than chunks, or one is not of the demo's world.
    """
    chunk = FAMILY.frames_per_chunk
    if len(prompts) > frames // chunk:
        raise ValueError(
            f"a video of {frames} latent frames must have at most {frames // chunk} prompts, one "
            f"per chunk, got {len(prompts)}"
        )
    starts = [
        round(number * frames / len(prompts) / chunk) * chunk for number in range(len(prompts))
    ]
    return tuple(Cut(start, parse(text)) for start, text in zip(starts, prompts, strict=True))


def _request(options: argparse.Namespace) -> VideoRequest:
    frames = VIDEO.latent_frames(options.seconds)
    family = method_named(options.method).run(FAMILY, frames)
    family = family.tuned(window=options.window, sink=options.sink)
    return VideoRequest(family, frames, LATENT_SIDE, LATENT_SIDE, options.seed)


def _check_folder(out: Path) -> None:
    taken = out.exists() and not (out.is_dir() and not any(out.iterdir()))
    if taken and not is_latent_file(out / LATENTS):
        raise ValueError(
            f"--out must be a new or empty folder, or that of an earlier demo, got {out}"
        )


def _sheet(pictures: Tensor, story: Story):
    frames = range(0, (len(pictures) - 1) // STRIDE + 1, SHEET_STEP)
    return contact_sheet(
        pictures[:: STRIDE * SHEET_STEP],
        [STRIDE * frame / FPS for frame in frames],
        [scene_at(story, frame).text for frame in frames],
    )


def _report(
    request: VideoRequest, model: DemoModel, recording: Recording, seconds: float
) -> list[tuple[str, str]]:
    clock, plan = request.clock, request.plan(model.wan)
    keep_all = request.family.tuned(
        window=clock.total_frames, sink=0, positions=PositionRule.ABSOLUTE
    )
    all_bytes = replace(request, family=keep_all).plan(model.wan).bytes
    pictures = VIDEO.pixel_frames(clock.total_frames)
    denoising = sum(recording.chunk_seconds)
    return [
        (
            "video",
            f"{pictures / FPS:.1f} s: {clock.total_frames} latent frames, {pictures} pictures",
        ),
        ("made in", f"{seconds:.1f} s on this machine, {denoising:.1f} s of it denoising"),
        (
            "frames per second",
            f"{pictures / seconds:.1f} in all, {pictures / denoising:.1f} denoising",
        ),
        ("a head sees", f"{plan.slots} latent frames, the first {plan.policy.sink} for ever"),
        ("caches", f"{plan.bytes} bytes at any length; all frames would be {all_bytes}"),
    ]


def _seen(pictures: Tensor, story: Story) -> list[tuple[str, str]]:
    """Say what the pictures, one per latent frame, show: prompts obeyed, and drift."""
    ends = [cut.start for cut in story[1:]] + [len(pictures)]
    rows = []
    for cut, end in zip(story, ends, strict=True):
        late = delay(pictures[cut.start : end], cut.scene, FAMILY.frames_per_chunk)
        said = "not obeyed" if late == float("inf") else f"obeyed after {late:.0f} chunks"
        rows.append((f"from {STRIDE * cut.start / FPS:.1f} s", f"{said}: {cut.scene.text}"))
    first, last = story[0].scene, story[-1].scene
    early, late = pictures[:STRETCH], pictures[-STRETCH:]
    if len(pictures) < 2 * STRETCH or first.texture != last.texture or first.tint != last.tint:
        return [*rows, ("drift", "not measured: too short, or the prompts changed the ground")]
    shade = ground_change(early, late)
    rows.append(("drift of the ground", f"{shade:.4f} of 1, last 6 s against the first"))
    for thing in set(first.things) & set(last.things):
        (moved,) = shade_changes(early, late, replace(first, things=(thing,)))
        rows.append((f"drift of the {thing.shape}", f"{moved:.4f} of 1, RGB distance"))
    return rows
