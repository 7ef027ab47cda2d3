"""How latents change while a video is made, where no picture of it is: not what anybody sees."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from .bands import Band
from .measures import Measures
from .scene import Scene, turned

LATENT_BANDS: Mapping[str, Band] = {
    "mean": Band(None, 0.5, "plain", "deviations", "shift of the channels' means, of latents"),
    "deviation": Band(0.7, 1.4, "ratio", "1", "deviation of the channels, of latents"),
    "motion": Band(0.25, 4.0, "ratio", "deviations", "change of neighbouring latent frames"),
    "seam": Band(None, 3.0, "plain", "1", "change of latents across the join, over that within"),
    "freeze": Band(None, 0.4, "difference", "share", "latent frames that hardly differ"),
}
SAME, SAME_SHARE = 0.002, 0.1
LEAST_CHANGE, USUAL_SHARE = 0.02, 0.25


class LatentTelemetry:
    """The state of one video of which only latents are known; see ``Telemetry``.

    Its measures speak of channels, which no eye sees: saturation and blur move several at once, and
    by how much depends on the VAE.

    Args:
        fps: latent frames per second.
        past: what earlier chunks measured, if a run goes on.

    Raises:
        ValueError: if fps is no positive number.
    """

    def __init__(self, fps: float, past: Sequence[Measures] = ()):
        if not 0 < fps < float("inf"):
            raise ValueError(f"fps must be a positive number, got {fps}")
        self._fps, self._next = fps, 0
        self._scene, self._tail = Scene(fps), None
        for measures in past:
            self._take(measures)

    def again(self, latents: Tensor) -> None:
        """Show once more the last chunk that was measured, or its last frame: the next joins it."""
        self._tail = _checked(latents)[:, -1:]

    def add(self, latents: Tensor, cut: bool = False, changed: bool = False) -> Measures:
        """Measure the next chunk.

        Args:
            latents: ``[1, C, F, Y, X]``, as the model has them.
            cut: a new scene begins with it, which nothing before is compared with.
            changed: a new prompt begins with it: a leap to it was asked for, and is no seam.

        Raises:
            ValueError: if they are no latents of one video.
        """
        frames = _checked(latents)
        cut = cut or self._next == 0
        if cut:
            self._scene, self._tail = Scene(self._fps), None
        if changed:
            self._tail = None
        measures = self._measured(frames, cut)
        self._take(measures)
        self._tail = frames[:, -1:]
        return measures

    def _take(self, measures: Measures) -> None:
        if measures.cut:
            self._scene = Scene(self._fps)
        self._scene.take(measures)
        self._next = measures.first + measures.count

    def _measured(self, frames: Tensor, cut: bool) -> Measures:
        scene = self._scene
        joined = self._tail is not None and self._tail.shape[2:] == frames.shape[2:]
        rows = torch.cat([self._tail, frames], 1) if joined else frames
        means, deviations = frames.mean((1, 2, 3)), frames.std((1, 2, 3), correction=0)
        scale = deviations.clamp_min(1e-3)[:, None, None, None]
        change = (rows.diff(dim=1) / scale).square().mean((0, 2, 3)).sqrt()
        within = change[int(joined) :]
        usual = (float(within.median()),) * 2 if len(within) else ()
        known = [usual, scene.last.changes if scene.last else ()]
        usually = USUAL_SHARE * scene.usual_changes()[0]
        allowed = max(LEAST_CHANGE, usually, *(each[0] for each in known if each))
        same = max(SAME, SAME_SHARE * scene.usual_changes()[0] if scene.has_base else 0.0)
        moving = within[within > same]
        values = {
            "mean": _shift(scene, means, deviations),
            "deviation": float(deviations.log().mean().exp()),
            "motion": float(moving.mean()) if len(moving) else None,
            "seam": float(change[0]) / allowed if joined else None,
            "freeze": 1 - len(moving) / len(within) if len(within) else None,
        }
        values |= {f"mean {at}": float(x) for at, x in enumerate(means)}
        values |= {f"deviation {at}": float(x) for at, x in enumerate(deviations)}
        against = scene.against(values, LATENT_BANDS)
        out = scene.outside(against, LATENT_BANDS)
        return Measures(
            first=self._next,
            count=frames.shape[1],
            cut=cut,
            values=values,
            against=against,
            out=out,
            **turned(scene.out, out),
            changes=usual,
            step=0.0,
            leap=float(change.max()) / allowed if len(change) else 0.0,
            tones=(),
            thumbs=(),
        )


def _shift(scene: Scene, means: Tensor, deviations: Tensor) -> float | None:
    """Return how far the channels' means are from the first seconds', in their deviations."""
    if not scene.has_base:
        return None
    if scene.base(f"mean {len(means) - 1}") is None:
        raise ValueError(f"latents must have the channels of those before, got {len(means)}")
    before = torch.tensor([scene.base(f"mean {at}") for at in range(len(means))])
    spread = torch.tensor([scene.base(f"deviation {at}") for at in range(len(means))])
    return float(((means - before) / spread.clamp_min(1e-3)).square().mean().sqrt())


def _checked(latents: Tensor) -> Tensor:
    if latents.ndim != 5 or latents.shape[0] != 1 or 0 in latents.shape:
        raise ValueError(f"latents must be [1, C, F, Y, X] of one video, got {[*latents.shape]}")
    return latents[0].cpu().float()
