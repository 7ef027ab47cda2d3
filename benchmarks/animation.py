"""A minute of the demo with two ways of remembering, side by side in one moving picture.

    python benchmarks/animation.py [--seconds 60] [--seed 0] [--methods rolling METHOD] [--out FILE]

What `headforcing demo` makes, with its prompts, twice: the same noise, chunk by chunk in turns. The
picture shows one of four pictures, at 16 a second, so a minute takes a quarter of one; under each
video lie pictures of it, evenly spaced. Beside the picture FILE.json says what was made, and how
far off the ground is that comes back.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
import pack  # noqa: F401  loads the pack from this checkout
from PIL import Image, ImageDraw
from setting import machine, result_file, written
from torch import Tensor

from headforcing.headforcing_core.cli.demo import METHOD, PROMPTS, story_of
from headforcing.headforcing_core.demo.comparison import (
    Spec,
    finished,
    request_for,
    roll_side_by_side,
)
from headforcing.headforcing_core.demo.networks import FAMILY, SHIPPED, DemoModel
from headforcing.headforcing_core.demo.profiles import maps_of
from headforcing.headforcing_core.demo.scores import delay, ground_off, ground_returns, look_at
from headforcing.headforcing_core.demo.world import SIDE, VIDEO, Story, scene_at

RESULT = Path(__file__).with_name("results") / "demo_minute.webp"
PLAIN = "rolling"
ZOOM, THUMBS, GAP, LINE = 4, 8, 12, 16
PANEL = ZOOM * SIDE
PAPER, INK, FAINT, DONE = "#ffffff", "#1f2328", "#d0d7de", "#0969da"
# pictures a second, of those kept: one for each latent frame
SHOWN, QUALITY = 16, 62


@dataclass(frozen=True)
class Shown:
    """One method's video.

    Args:
        pictures: one per latent frame, ``[F, 3, Y, X]``.
    """

    name: str
    pictures: Tensor
    cache_bytes: int


def main() -> None:
    options = _options()
    frames = VIDEO.latent_frames(options.seconds)
    story, model = story_of(PROMPTS, frames), DemoModel.load(SHIPPED, "cpu")
    methods = [Spec.parse(name).on(maps_of(model)) for name in options.methods]
    rolled = finished(roll_side_by_side(model, [story], methods, frames, options.seed))
    shown = [
        Shown(
            one.method.name,
            model.snapshots(one.latents[0]),
            request_for(one.method, frames, options.seed).plan(model.wan).bytes,
        )
        for one in rolled
    ]
    pages = [_page(shown, story, frame) for frame in range(frames)]
    pages[0].save(
        *(options.out, "WEBP"),
        save_all=True,
        append_images=pages[1:],
        duration=[1000 // SHOWN] * (frames - 1) + [3000],
        loop=0,
        quality=QUALITY,
        method=6,
    )
    about = {
        "machine": machine(),
        "command": "benchmarks/animation.py",
        **{"seed": options.seed, "seconds": options.seconds, "prompts": list(PROMPTS)},
        "methods": {one.name: _told(one, story) for one in shown},
    }
    written(about, options.out.with_suffix(".json"), "demo_minute", "cpu")
    sys.stdout.write(json.dumps(about["methods"], indent=1) + "\n")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    add = parser.add_argument
    add("--seconds", type=float, default=60.0, metavar="N", help="length (default 60)")
    add("--seed", type=int, default=0, metavar="N", help="default 0")
    add("--methods", nargs="+", default=[PLAIN, METHOD], metavar="NAME", help="side by side")
    add("--out", type=result_file, default=RESULT, metavar="FILE", help="a .webp")
    return parser.parse_args()


def _told(one: Shown, story: Story) -> dict[str, object]:
    """Say how far off what comes back is, as the demo says it, and what was obeyed."""
    seen = look_at(one.pictures)
    starts = [cut.start for cut in story]
    parts = [seen[a:b] for a, b in zip(starts, [*starts[1:], len(seen)], strict=True)]
    chunks = [
        delay(part, cut.scene, FAMILY.frames_per_chunk)
        for cut, part in zip(story, parts, strict=True)
    ]
    return {
        "cache_bytes": one.cache_bytes,
        "ground_off": {
            f"{back.scene.tint} at {VIDEO.moment(back.start):.0f} s": round(
                ground_off(seen, back), 4
            )
            for back in ground_returns(story)
        },
        "shown_after_chunks": [None if math.isinf(one) else one for one in chunks],
    }


def _page(shown: Sequence[Shown], story: Story, frame: int) -> Image.Image:
    """Draw one moment of all."""
    thumb = PANEL // THUMBS
    width = GAP + len(shown) * (PANEL + GAP)
    height = 2 * LINE + GAP + PANEL + thumb + 3 * LINE + GAP
    page = Image.new("RGB", (width, height), PAPER)
    pen = ImageDraw.Draw(page)
    frames = len(shown[0].pictures)
    for number, one in enumerate(shown):
        left, top = GAP + number * (PANEL + GAP), GAP // 2
        pen.text((left, top), _name(one), fill=INK)
        pen.text(
            (left, top + LINE), f"caches {one.cache_bytes // 1024} KiB at any length", fill=INK
        )
        top += 2 * LINE + GAP // 2
        page.paste(_image(one.pictures[frame], PANEL), (left, top))
        for at in range(THUMBS):
            moment = at * frames // THUMBS
            if moment <= frame:
                small = _image(one.pictures[moment], thumb - 2)
                page.paste(small, (left + at * thumb + 1, top + PANEL + 2))
    _time_line(pen, story, frame, frames, (GAP, width - GAP, height - 3 * LINE))
    return page


def _time_line(
    pen: ImageDraw.ImageDraw, story: Story, frame: int, frames: int, box: tuple[int, int, int]
) -> None:
    """Draw how much of the video is over, where prompts change, and the prompt that rules."""
    left, right, top = box
    there = left + (right - left) * (frame + 1) // frames
    pen.rectangle((left, top, right, top + 5), fill=FAINT)
    pen.rectangle((left, top, there, top + 5), fill=DONE)
    for cut in story[1:]:
        at = left + (right - left) * cut.start // frames
        pen.rectangle((at - 1, top - 3, at + 1, top + 8), fill=INK)
    said = f"{VIDEO.moment(frame):4.1f} s   {scene_at(story, frame).text}"
    pen.text((left, top + LINE), said, fill=INK)


def _name(one: Shown) -> str:
    name = one.name.partition(",")[0]
    return f"plain window ({name})" if name == PLAIN else name


def _image(picture: Tensor, side: int) -> Image.Image:
    pixels = (picture.clamp(0, 1) * 255).round().byte().permute(1, 2, 0)
    how = Image.Resampling.NEAREST if side > SIDE else Image.Resampling.BOX
    return Image.fromarray(pixels.numpy()).resize((side, side), how)


if __name__ == "__main__":
    main()
