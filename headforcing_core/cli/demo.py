"""``headforcing demo``: the main job on the model that ships, with nothing to download."""

from __future__ import annotations

import argparse
import logging
import math
import sys
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from ..bounds import check_within
from ..demo.comparison import Spec, contact_sheet, request_for, schedule, without_map
from ..demo.networks import CONFIG, FAMILY, LATENT_SIDE, SHIPPED, DemoModel
from ..demo.profiles import maps_of
from ..demo.scores import LOOKING_BYTES, delay, ground_change, look_at, shade_changes
from ..demo.world import SIDE, VIDEO, WORDS, Cut, Story, parse, scene_at
from ..device import check_room, choose_device
from ..files import is_latent_file, read_settings, save_or_rescue, write_png
from ..generation import VideoRequest
from ..methods import NAMES
from ..stopping import to_the_end
from ..video import ChunkClock, check_seed
from .beside import made_beside, said_of_returns, side_by_side
from .recording import Plain, Recording, record
from .result_folder import result_folder
from .screen import Screen, film_of

log = logging.getLogger("headforcing")
LATENTS, VIDEO_FILE, SHEET = "latents.safetensors", "video.mp4", "contact_sheet.png"
BESIDE = "side_by_side.png"
FILM = film_of(Path(VIDEO_FILE), 1)
FILES = (LATENTS, SHEET, BESIDE, *(file.name for file in FILM.files))
# what comes back is remembered, in little more than a third of the window's memory: README
METHOD = "head_forcing:recall"
# what forgets, to be held against it; and none
PLAIN, NONE = "rolling", "none"
# two grounds come back after two others: they are in no sink, and in no window
PROMPTS = tuple(
    f"a red ball moving slowly on striped {tint}"
    for tint in ("olive", "navy", "brown", "grey", "navy", "brown")
)
# an hour: what all its pictures are looked at in is 5 GiB
LONGEST = 3600
# of a side of a picture in the video
MOST_PIXELS = 2000
MOST_ZOOM = MOST_PIXELS // SIDE
FLOAT32 = torch.float32.itemsize
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
        default=METHOD,
        metavar="NAME",
        help=f"how the past is kept (default {METHOD}), perhaps with settings: sink_window,sink=1; "
        f"one of {', '.join(NAMES)}",
    )
    add(
        "--beside",
        default=PLAIN,
        metavar="NAME",
        help=f"another method, in one picture with it (default {PLAIN}); or {NONE}",
    )
    add("--zoom", type=int, default=6, metavar="N", help=f"times {SIDE} pixels (default 6)")
    add("--model", metavar="FOLDER", help="a demo model trained elsewhere (default the shipped)")
    add("--device", metavar="NAME", help="cuda, cuda:1, cpu (default: a GPU if there is one)")
    parser.set_defaults(run=run)
    return parser


def run(options: argparse.Namespace) -> int:
    spec, frames = Spec.parse(options.method), _frames(options)
    other = None if options.beside in (NONE, options.method) else Spec.parse(options.beside)
    # a video too short for all of them shows the first
    story = story_of(options.prompt or PROMPTS[: frames // FAMILY.frames_per_chunk], frames)
    check_seed(options.seed)
    check_within("--zoom", options.zoom, 1, MOST_ZOOM)
    check_room("the pictures", LOOKING_BYTES * frames, "cpu", "use fewer --seconds")
    out, size = Path(options.out), FLOAT32 * CONFIG.in_dim * LATENT_SIDE**2 * frames
    with result_folder("--out", out, FILES, lambda: _is_ours(out), alone=True, size=size):
        folder = SHIPPED if options.model is None else Path(options.model)
        model = DemoModel.load(folder, choose_device(options.device))
        needed = [each for each in (spec, other) if each is not None and each.method.needs_map]
        heads = maps_of(model) if needed else {}
        request = request_for(spec.on(heads), frames, options.seed)
        pictures = _make(model, request, story, out, options.zoom)
        (out / BESIDE).unlink(missing_ok=True)  # of the video that was here before
        if other is not None:
            shown = {spec.name: pictures}
            shown[other.name] = made_beside(model, other.on(heads), story, frames, options.seed)
            _compare(shown, story, out)
    return 0


def _compare(pictures: Mapping[str, Tensor], story: Story, out: Path) -> None:
    """Say and show what each method has of what comes back."""
    _say(said_of_returns(story, pictures))
    picture = side_by_side(story, pictures)
    place = out / BESIDE
    to_the_end(lambda: save_or_rescue(lambda path: write_png(path, picture), place, "pictures"))
    _say([("side by side", str(place))])


def _make(model: DemoModel, request: VideoRequest, story: Story, out: Path, zoom: int) -> Tensor:
    """Make the video and its files, say what is to be said of it, and return its pictures."""
    rollout = request.rollout(model.wan, schedule(model, [story]))
    settings = {**request.settings, "demo": True, "prompts": {c.start: c.scene.text for c in story}}
    begin = time.perf_counter()
    film = film_of(out / VIDEO_FILE, zoom)
    changes = frozenset(cut.start for cut in story)
    with Screen(model, film, request.clock.total_frames, changes) as screen:
        recording = record(rollout, out / LATENTS, Plain(settings), VIDEO, watch=screen.show)
    seconds = time.perf_counter() - begin
    pictures = torch.cat(screen.pictures)
    _say(_report(request, model, recording, seconds) + _seen(pictures, story))
    sheet = _sheet(pictures, story)
    to_the_end(lambda: save_or_rescue(lambda path: write_png(path, sheet), out / SHEET, "pictures"))
    _say(
        [
            (
                "files",
                ", ".join(f"{out}/{name}" for name in (VIDEO_FILE, SHEET, LATENTS, FILM.plot.name)),
            )
        ]
    )
    return pictures


def _say(rows: list[tuple[str, str]]) -> None:
    sys.stdout.write("".join(f"{name:24}{value}\n" for name, value in rows))
    sys.stdout.flush()


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


def _frames(options: argparse.Namespace) -> int:
    """Return the latent frames asked for, in whole chunks."""
    frames = VIDEO.latent_frames(options.seconds)
    check_within("--seconds", options.seconds, 0, LONGEST)
    return ChunkClock.covering(frames, FAMILY.frames_per_chunk).total_frames


def _is_ours(out: Path) -> bool:
    latents = out / LATENTS
    return is_latent_file(latents) and bool((read_settings(latents) or {}).get("demo"))


def _sheet(pictures: Tensor, story: Story) -> Image.Image:
    frames = range(0, len(pictures), SHEET_STEP)
    return contact_sheet(
        pictures[::SHEET_STEP],
        [VIDEO.moment(frame) for frame in frames],
        [scene_at(story, frame).text for frame in frames],
    )


def _report(
    request: VideoRequest, model: DemoModel, recording: Recording, seconds: float
) -> list[tuple[str, str]]:
    frames, plan = request.clock.total_frames, request.plan(model.wan)
    everything = request_for(without_map("full"), frames, request.seed)
    all_bytes = everything.plan(model.wan).bytes
    pictures, denoising = VIDEO.pixel_frames(frames), sum(recording.chunk_seconds)
    caches = f"{plan.bytes} bytes"
    if plan.seen < frames:
        caches += f" at any length; all {frames} frames would be {all_bytes}"
    return [
        ("video", f"{VIDEO.seconds(frames):.1f} s: {frames} latent frames, {pictures} pictures"),
        ("made in", f"{seconds:.1f} s on this machine, {denoising:.1f} s of it denoising"),
        (
            "frames per second",
            f"{pictures / seconds:.1f} in all, {pictures / denoising:.1f} denoising",
        ),
        ("a head sees", f"at most {plan.seen} latent frames: {request.fitted_method.says}"),
        ("caches", caches),
    ]


def _seen(pictures: Tensor, story: Story) -> list[tuple[str, str]]:
    """Say what the pictures, one per latent frame, show: prompts obeyed, and drift."""
    starts = [cut.start for cut in story]
    seen = look_at(pictures)
    parts = [seen[start:end] for start, end in zip(starts, [*starts[1:], len(seen)], strict=True)]
    rows = []
    for cut, part in zip(story, parts, strict=True):
        late = delay(part, cut.scene, FAMILY.frames_per_chunk)
        said = "not shown" if math.isinf(late) else f"shown after {late:.0f} chunks"
        rows.append((f"from {VIDEO.moment(cut.start):.1f} s", f"{cut.scene.text}: {said}"))
    first, last = story[0].scene, story[-1].scene
    early, late = parts[0][:STRETCH], parts[-1][-STRETCH:]
    same_ground = (first.texture, first.tint) == (last.texture, last.tint)
    if len(pictures) < 2 * STRETCH or min(len(early), len(late)) < STRETCH or not same_ground:
        return [*rows, ("drift", "not measured: too short, or the prompts changed the ground")]
    span = f"last {VIDEO.moment(STRETCH):.0f} s against the first"
    rows.append(("drift of the ground", f"{ground_change(early, late):.4f} of 1, {span}"))
    for thing in (thing for thing in first.things if thing in last.things):
        (moved,) = shade_changes(early, late, replace(first, things=(thing,)))
        shade = "lost" if math.isnan(moved) else f"{moved:.4f}, RGB distance, {span}"
        rows.append((f"drift of {thing.text}", shade))
    return rows
