"""The demo's video made once more with another way of remembering, and both in one picture."""

from __future__ import annotations

from collections.abc import Mapping

from PIL import Image
from torch import Tensor

from ..demo.comparison import Compared, finished, roll_side_by_side, strips
from ..demo.networks import DemoModel
from ..demo.scores import ground_off, ground_returns, look_at
from ..demo.world import VIDEO, Story

# moments of every scene that are shown
OF_A_SCENE = 2
ZOOM = 2


def made_beside(model: DemoModel, method: Compared, story: Story, frames: int, seed: int) -> Tensor:
    """Make the video with another method, the same noise; one picture per frame."""
    (made,) = finished(roll_side_by_side(model, [story], [method], frames, seed))
    return model.snapshots(made.latents[0])


def said_of_returns(story: Story, pictures: Mapping[str, Tensor]) -> list[tuple[str, str]]:
    """Say of every ground that comes back how far off it is, with each method."""
    seen = {name: look_at(shown) for name, shown in pictures.items()}
    rows = []
    for back in ground_returns(story):
        away = VIDEO.moment(back.start) - VIDEO.moment(back.left)
        off = ", ".join(f"{ground_off(sight, back):.4f} with {n}" for n, sight in seen.items())
        name = f"{back.scene.tint} at {VIDEO.moment(back.start):.1f} s"
        rows.append((name, f"back after {away:.1f} s, off by {off}"))
    return rows


def side_by_side(story: Story, pictures: Mapping[str, Tensor]) -> Image.Image:
    """Draw a row per method: every scene soon after it begins, and before it ends."""
    frames = len(next(iter(pictures.values())))
    ends = [*(cut.start for cut in story[1:]), frames]
    moments = []
    for cut, end in zip(story, ends, strict=True):
        step = (end - cut.start) / OF_A_SCENE
        moments += [min(frames - 1, int(cut.start + step * (n + 0.5))) for n in range(OF_A_SCENE)]
    rows = {name: shown[moments] for name, shown in pictures.items()}
    grounds = ", ".join(dict.fromkeys(f"{c.scene.texture} {c.scene.tint}" for c in story))
    return strips(rows, [VIDEO.moment(at) for at in moments], f"grounds: {grounds}", ZOOM)
