"""How a video changes while it is made, chunk by chunk, measured without any network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from .bands import BANDS
from .followed import Tones
from .measures import Measures
from .pictures import Looks, changes, looks_of, speeds
from .scene import Scene, turned

# a neighbour that differs less than that, or than that share of what is usual, is the same picture
SAME, SAME_SHARE = 0.001, 0.05
# a join may change that much, whatever is usual: in deviations, in levels of 100, and in shares of
# what is usual in the first seconds
LEAST_CHANGE, LEAST_STEP, USUAL_SHARE = 0.02, 1.0, 0.25
# of a chunk's changes, those that are usual: pictures may be shown twice or thrice, and one pair
# may be a leap
USUAL = 0.85
# a video rolls back with a leap: what comes back without one swings
LEAP = 1.8
# pictures from one to the next that tones are followed to: a shift of the camera must be a pixel of
# a tiny copy, or it is none
FOLLOWED = 16
# chroma goes with the spread of grey to this power, and contrast with the root of lightness nearly
COLOUR_POWER, LIGHT_POWER = 0.75, 0.35


class Telemetry:
    """The state of one video, of bounded size.

    Args:
        fps: pictures per second.
        past: what earlier chunks measured, if a run goes on; then ``again`` takes the pictures of
            the last of them.
        joins_known: what is added are the chunks a video was made of. If not, such as pieces of a
            file, a seam is looked for between any two pictures.

    Raises:
        ValueError: if fps is no positive number.
    """

    def __init__(self, fps: float, past: Sequence[Measures] = (), joins_known: bool = True):
        if not 0 < fps < float("inf"):
            raise ValueError(f"fps must be a positive number, got {fps}")
        self._fps, self._joins_known, self._next = fps, joins_known, 0
        self._scene, self._tail = Scene(fps), None
        for measures in past:
            self._take(measures)

    def again(self, pictures: Tensor) -> None:
        """Show once more the last chunk that was measured, or its last picture: the next joins it.

        Args:
            pictures: as ``add`` takes them.
        """
        self._tail = _Tail.of(looks_of(_checked(pictures)[-1:]))

    def add(self, pictures: Tensor, cut: bool = False, changed: bool = False) -> Measures:
        """Measure the next chunk.

        Args:
            pictures: ``[N, 3, Y, X]``, 0 to 1, in order.
            cut: a new scene begins with it, which nothing before is compared with.
            changed: a new prompt begins with it: a leap to it was asked for, and is no seam.

        Raises:
            ValueError: if they are no pictures.
        """
        looks = looks_of(_checked(pictures))
        cut = cut or self._next == 0
        if cut:
            self._scene, self._tail = Scene(self._fps), None
        if changed:
            self._tail = None
        measures = self._measured(looks, cut)
        self._take(measures)
        self._tail = _Tail.of(looks)
        return measures

    def _take(self, measures: Measures) -> None:
        if measures.cut:
            self._scene = Scene(self._fps)
        self._scene.take(measures)
        self._next = measures.first + measures.count

    def _measured(self, looks: Looks, cut: bool) -> Measures:
        scene = self._scene
        pairs = _Pairs.of(looks, self._tail, scene, self._joins_known)
        thumbs = scene.past.picked(self._next, looks.thumbs)
        leapt = pairs.leapt if pairs.leap >= LEAP else 0
        loop = scene.past.match(thumbs, scene.past.skipped(self._next, leapt))
        before = scene.last.leap if scene.last else 0.0
        if loop is not None and "loop" not in scene.out and max(pairs.leap, before) < LEAP:
            loop = min(loop, 1.0)
        flicker = _back_and_forth(looks.light)
        flickers = not BANDS["flicker"].holds(scene.compared("flicker", flicker, BANDS["flicker"]))
        seam = pairs.seam_of_shapes if flickers else pairs.seam
        rolls_back = not BANDS["loop"].holds(loop)
        jumps = not BANDS["seam"].holds(seam) or (rolls_back and pairs.leap >= LEAP)
        tones, values = _followed(looks, self._tail, scene.last, pairs.leapt if jumps else None)
        values |= {
            "motion": _mean(pairs.speeds * self._fps),
            # the leap of a loop is told as the loop
            "seam": None if rolls_back else seam,
            "freeze": pairs.frozen,
            "flicker": flicker,
            "loop": loop,
        }
        against = scene.against(values, BANDS)
        against["lightness"] = _lightening(against["lightness"], values, scene)
        out = scene.outside(against, BANDS)
        return Measures(
            first=self._next,
            count=len(looks.light),
            cut=cut,
            values=values,
            against=against,
            out=out,
            **turned(scene.out, out),
            changes=pairs.usual,
            step=pairs.step,
            leap=pairs.leap,
            tones=(tones.light, tones.spread, tones.colour),
            thumbs=thumbs,
        )


@dataclass(frozen=True)
class _Tail:
    """What the next chunk joins: the last picture of one."""

    tone: Tensor
    shape: Tensor
    thumb: Tensor
    picture: Tensor

    @classmethod
    def of(cls, looks: Looks) -> _Tail:
        return cls(looks.tone[-1:], looks.shape[-1:], looks.thumbs[-1:], looks.tiny[-1])


@dataclass(frozen=True)
class _Pairs:
    """Neighbouring pictures of a chunk, and of it and the one before.

    Args:
        usual: greater changes within the chunk, of coarse and of tiny copies.
        step: greatest step of colours within the chunk.
        leap: greatest change against what is usual, the one across the join included.
        leapt: number of the picture in the chunk that its greatest change leads to; 0 is the join.
        seam: change across the join, or the greatest if it may be anywhere, against what is usual,
            in shapes or in colours; and of shapes alone.
        frozen: share of those within the chunk that hardly differ.
        speeds: of the others.
    """

    usual: tuple[float, ...]
    step: float
    leap: float
    leapt: int
    seam: float | None
    seam_of_shapes: float | None
    frozen: float | None
    speeds: Tensor

    @classmethod
    def of(cls, looks: Looks, tail: _Tail | None, scene: Scene, joins_known: bool) -> _Pairs:
        tone, shape, thumbs = _joined(looks, tail)
        found, start = [changes(shape), changes(thumbs)], len(shape) - len(looks.shape)
        steps = tone.diff(dim=0).norm(dim=1)
        within = found[0][start:]
        usual = tuple(float(x[start:].quantile(USUAL)) for x in found) if len(within) else ()
        step = float(steps[start:].max()) if len(within) else 0.0
        allowed = _allowed(usual, scene)
        ratios = torch.stack([x / most for x, most in zip(found, allowed, strict=True)]).amax(0)
        leap = float(ratios.max()) if len(ratios) else 0.0
        ordinary = max(scene.last.step if scene.last else 0.0, LEAST_STEP)
        seam, shapes, leapt = None, None, 0
        if joins_known and start:
            shapes = float(ratios[0])
            seam = max(shapes, float(steps[0]) / max(ordinary, step))
        elif not joins_known and len(ratios):
            shapes, stepped = leap, steps / max(ordinary, float(steps.sort().values[-3:][0]))
            seam = max(leap, float(stepped.max()))
            leapt = int((ratios if leap >= seam else stepped).argmax()) + 1 - start
        same = max(SAME, SAME_SHARE * scene.usual_changes()[0] if scene.has_base else 0.0)
        moving = within > same
        return cls(
            usual=usual,
            step=step,
            leap=leap,
            leapt=leapt,
            seam=seam,
            seam_of_shapes=shapes,
            frozen=1 - float(moving.float().mean()) if len(within) else None,
            speeds=speeds(shape)[start:][moving] if len(shape) > 1 else torch.empty(0),
        )


def _joined(looks: Looks, tail: _Tail | None) -> list[Tensor]:
    """Return tones, shapes and thumbnails of a chunk, behind those of the picture before it."""
    parts = [looks.tone, looks.shape, looks.thumbs]
    if tail is None or tail.shape.shape[1:] != looks.shape.shape[1:]:
        return parts
    return [
        torch.cat(pair) for pair in zip((tail.tone, tail.shape, tail.thumb), parts, strict=True)
    ]


def _allowed(usual: Sequence[float], scene: Scene) -> list[float]:
    """Return the changes, of coarse and of tiny copies, that are nothing special."""
    known = [usual, scene.last.changes if scene.last else ()]
    known.append([USUAL_SHARE * change for change in scene.usual_changes()])
    return [max(LEAST_CHANGE, *(x[at] for x in known if len(x))) for at in range(2)]


def _followed(
    looks: Looks, tail: _Tail | None, last: Measures | None, jump: int | None
) -> tuple[Tones, dict[str, float | None]]:
    """Return the tones of the last picture, and what is measured of the colours of a chunk.

    Args:
        jump: number of the picture in the chunk that a jump leads to, which is not followed: it is
            told as what it is.
    """
    tones = Tones(*(float(x[-1]) for x in (looks.light, looks.spread, looks.colour)))
    if tail is not None and last is not None and tail.picture.shape == looks.tiny.shape[1:]:
        tones, start = Tones(*last.tones), tail.picture
        if jump is not None:
            tones = _along(tones, start, looks.tiny[:jump])
            start = looks.tiny[jump]
        tones = _along(tones, start, looks.tiny[jump or 0 :])
    light, spread, colour = (x[jump or 0 :] for x in (looks.light, looks.spread, looks.colour))
    mean_light = tones.light + float(light.mean() - light[-1])
    mean_spread, mean_colour = (
        known * float(x.mean()) / max(float(x[-1]), 0.2)
        for known, x in ((tones.spread, spread), (tones.colour, colour))
    )
    return tones, {
        "lightness": mean_light,
        "contrast": mean_spread / (max(mean_light, 1.0) / 50) ** LIGHT_POWER,
        "chroma": mean_colour / max(mean_spread, 1.0) ** COLOUR_POWER,
        "sharpness": looks.detail,
    }


def _along(tones: Tones, start: Tensor, pictures: Tensor) -> Tones:
    """Follow tones to the last picture, in steps short enough that things still overlap."""
    for at in range(len(pictures) - 1, -1, -FOLLOWED)[::-1]:
        tones, start = tones.followed(start, pictures[at]), pictures[at]
    return tones


def _lightening(
    against: float | None, values: Mapping[str, float | None], scene: Scene
) -> float | None:
    """Return what of a change of lightness is none of contrast about the middle grey."""
    if against is None:
        return None
    before = {name: scene.base(name) for name in ("lightness", "contrast")}
    now, then = (
        each["contrast"] * (max(each["lightness"], 1.0) / 50) ** LIGHT_POWER
        for each in (values, before)
    )
    turned_up = (now / max(then, 1e-6) - 1) * (before["lightness"] - 50)
    return min(against, against - turned_up, key=abs)


def _mean(values: Tensor) -> float | None:
    return float(values.mean()) if len(values) else None


def _back_and_forth(light: Tensor) -> float | None:
    """Return how far lightness goes back and forth per picture; a step and a slope do not."""
    if len(light) < 3:
        return None
    way = light.diff()
    return float(way.abs().sum() - way.sum().abs()) / len(way)


def _checked(pictures: Tensor) -> Tensor:
    if pictures.ndim != 4 or pictures.shape[1] != 3 or 0 in pictures.shape:
        raise ValueError(
            f"pictures must be [N, 3, Y, X] with at least one of them, got {[*pictures.shape]}"
        )
    return pictures
