"""Videos without faults, and faults to plant in them: each should move one measure and no other."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import av
import torch
from torch import Tensor
from torch.nn.functional import conv2d, pad

from headforcing.headforcing_core.demo.world import (
    NARROW,
    Clip,
    Cut,
    draw,
    generator,
    random_scene,
    random_story,
)

FPS = 16
# chunks of three latent frames, the first of which is one picture
FIRST_CHUNK, CHUNK = 9, 12
HELD_OUT = 5_000_000
SIZE = (120, 208)
LUMA = torch.tensor([0.299, 0.587, 0.114])[:, None, None]


def starts(count: int) -> list[int]:
    """Return where chunks begin."""
    return [0, *range(FIRST_CHUNK, count, CHUNK)]


def nature(
    seed: int, count: int, pan: float = 0.5, pace: float = 0.8, things: int = 3, rough: float = 1.0
) -> Tensor:
    """A landscape of noise with the spectrum of photographs; a camera pans, textured holes move.

    Args:
        pan, pace: pixels per picture.
        rough: power of the spectrum, 1 as in photographs; less is rougher.
    """
    rng = torch.Generator().manual_seed(seed)
    rows, columns = SIZE
    ground = _landscape(rng, rows, columns + int(pan * count) + 2, rough)
    skins = [_landscape(rng, rows, columns, rough) for _ in range(things)]
    at, way = torch.rand(things, 2, generator=rng), 2 * math.pi * torch.rand(things, generator=rng)
    radii = (0.08 + 0.1 * torch.rand(things, generator=rng)) * rows
    tints = 0.5 * torch.rand(things, 3, 1, 1, generator=rng) - 0.25
    down, right = torch.meshgrid(*(torch.arange(n) + 0.5 for n in SIZE), indexing="ij")
    video = torch.empty(count, 3, *SIZE)
    for t in range(count):
        left, part = divmod(pan * t, 1)
        view = ground[:, :, int(left) :]
        picture = view[:, :, :columns] * (1 - part) + view[:, :, 1 : columns + 1] * part
        for skin, (x, y), angle, radius, tint in zip(skins, at, way, radii, tints, strict=True):
            x = _bounced(x * columns + pace * t * math.cos(angle), radius, columns - radius)
            y = _bounced(y * rows + pace * t * math.sin(angle), radius, rows - radius)
            cover = torch.sigmoid(radius - torch.hypot(right - x, down - y))
            picture = picture + cover * ((skin + tint).clamp(0, 1) - picture)
        video[t] = picture.clamp(0, 1)
    return video


def world(seed: int, count: int, cuts: tuple[int, ...] = ()) -> Tensor:
    """A clip of the demo's world; ``cuts`` are latent frames."""
    rng, frames = generator(seed, 77), (count - 1) // 4 + 1
    story = random_story(rng, cuts) if cuts else (Cut(0, random_scene(rng)),)
    return draw(Clip(HELD_OUT + seed, story, frames, NARROW))


def save(path: Path, pictures: Tensor) -> None:
    """Write an mp4 as people have them."""
    with av.open(str(path), "w") as file:
        stream = file.add_stream("libx264", rate=FPS, options={"crf": "14"})
        stream.height, stream.width = pictures.shape[2:]
        stream.pix_fmt = "yuv420p"
        for picture in (pictures * 255).round().byte().permute(0, 2, 3, 1).numpy():
            file.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        file.mux(stream.encode(None))


def _landscape(rng: torch.Generator, rows: int, columns: int, rough: float) -> Tensor:
    frequency = torch.hypot(torch.fft.fftfreq(rows)[:, None], torch.fft.rfftfreq(columns)[None])
    frequency[0, 0] = 1.0

    def field() -> Tensor:
        spectrum = torch.fft.rfft2(torch.randn(rows, columns, generator=rng)) / frequency**rough
        spectrum[0, 0] = 0
        values = torch.fft.irfft2(spectrum, s=(rows, columns))
        return values / values.std()

    light, colour = field(), torch.stack([field() for _ in range(3)])
    mean, spread = (a + b * torch.rand(1, generator=rng) for a, b in ((0.35, 0.25), (0.12, 0.08)))
    tint = 0.05 * torch.randn(3, 1, 1, generator=rng)
    return (mean + tint + spread * (light + 0.3 * (colour - colour.mean(0)))).clamp(0, 1)


def _bounced(at: Tensor, low: Tensor, high: Tensor) -> Tensor:
    turn = (at - low) % (2 * (high - low))
    return low + torch.minimum(turn, 2 * (high - low) - turn)


@dataclass(frozen=True)
class Fault:
    """What goes wrong with a video.

    Args:
        measure: that should leave its band.
        plant: takes a video and gives it back with the fault.
    """

    measure: str
    plant: Callable[[Tensor], Tensor]


def _grown(video: Tensor) -> Tensor:
    """How far a slow fault has grown at each picture: from 0 at 4 s to 1 at the end."""
    t, begin = torch.arange(len(video)).float(), 4 * FPS
    return ((t - begin) / (len(video) - 1 - begin)).clamp(0, 1)[:, None, None, None]


def saturated(video: Tensor, by: float, luma: bool = True) -> Tensor:
    grey = (video * LUMA).sum(1, keepdim=True) if luma else video.mean(1, keepdim=True)
    return (grey + (1 + (by - 1) * _grown(video)) * (video - grey)).clamp(0, 1)


def contrasted(video: Tensor, by: float, middle: float | None = None) -> Tensor:
    """About a grey; none: the mean of each picture."""
    about = (video * LUMA).sum(1, keepdim=True).mean((2, 3), keepdim=True)
    about = about if middle is None else middle
    return (about + (1 + (by - 1) * _grown(video)) * (video - about)).clamp(0, 1)


def brightened(video: Tensor, by: float) -> Tensor:
    return (video + by * _grown(video)).clamp(0, 1)


def amplified(video: Tensor, by: float) -> Tensor:
    return (video * (1 + (by - 1) * _grown(video))).clamp(0, 1)


def blurred(video: Tensor, sigma: float) -> Tensor:
    grown = [(p, sigma * float(g)) for p, g in zip(video, _grown(video), strict=True)]
    return torch.stack([_soft(p, s) if s > 0.15 else p for p, s in grown])


def _soft(picture: Tensor, sigma: float) -> Tensor:
    reach = int(3 * sigma) + 1
    bell = torch.exp(-(torch.arange(-reach, reach + 1.0) ** 2) / (2 * sigma**2))
    bell = bell / bell.sum()
    wide = pad(picture[:, None], (reach,) * 4, mode="replicate")
    return conv2d(conv2d(wide, bell[None, None, None]), bell[None, None, :, None])[:, 0]


def frozen(video: Tensor) -> Tensor:
    half = len(video) // 2
    return torch.cat([video[:half], video[half : half + 1].expand(len(video) - half, -1, -1, -1)])


def flickering(video: Tensor, by: float, period: float = 2.0) -> Tensor:
    """From the middle on; a period of 0 is lightness at random."""
    t = torch.arange(len(video))
    light = torch.cos(2 * math.pi * t / period) if period else _random(len(video))
    return (video + by * (light * (t >= len(video) // 2))[:, None, None, None]).clamp(0, 1)


def _random(count: int) -> Tensor:
    return torch.randn(count, generator=torch.Generator().manual_seed(1))


def _join(video: Tensor) -> int:
    return next(at for at in starts(len(video)) if at >= len(video) // 2)


def skipped(video: Tensor, pictures: int) -> Tensor:
    at = _join(video)
    return torch.cat([video[:at], video[at + pictures :]])


def stepped(video: Tensor, by: float) -> Tensor:
    at = _join(video)
    return torch.cat([video[:at], video[at:] + by]).clamp(0, 1)


def rolled_back(video: Tensor, pictures: int) -> Tensor:
    at = _join(video)
    return torch.cat([video[:at], video[at - pictures : len(video) - pictures]])


FAULTS = {
    "saturation": Fault("chroma", lambda v: saturated(v, 1.9)),
    "saturation about the mean": Fault("chroma", lambda v: saturated(v, 1.9, luma=False)),
    "fade": Fault("chroma", lambda v: saturated(v, 0.4)),
    "blur": Fault("sharpness", lambda v: blurred(v, 2.0)),
    "little blur": Fault("sharpness", lambda v: blurred(v, 1.1)),
    "freeze": Fault("freeze", frozen),
    "flicker": Fault("flicker", lambda v: flickering(v, 0.05)),
    "slower flicker": Fault("flicker", lambda v: flickering(v, 0.05, 5.0)),
    "random flicker": Fault("flicker", lambda v: flickering(v, 0.04, 0.0)),
    "skip": Fault("seam", lambda v: skipped(v, 40)),
    "step": Fault("seam", lambda v: stepped(v, 0.055)),
    "loop": Fault("loop", lambda v: rolled_back(v, 45)),
    "brighter": Fault("lightness", lambda v: brightened(v, 0.16)),
    "darker": Fault("lightness", lambda v: brightened(v, -0.12)),
    "amplified": Fault("lightness", lambda v: amplified(v, 1.4)),
    "contrast": Fault("contrast", lambda v: contrasted(v, 1.8)),
    "contrast about grey": Fault("contrast", lambda v: contrasted(v, 1.8, 0.5)),
    "flat": Fault("contrast", lambda v: contrasted(v, 0.5)),
}
