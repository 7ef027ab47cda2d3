"""Whether a video shows again what it has shown: a chunk against all that came before it."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

# thumbnails per second; seconds that are looked back, at least and at most
PER_SECOND, NEAR, FAR = 8, 2.0, 600.0
# steps of a thumbnail per deviation, and how far they go
STEPS, MOST = 40, 127
# difference of thumbnails, in deviations: less is noise
NOISE = 0.03

Thumb = tuple[int, ...]


class Past:
    """The thumbnails of a scene, of which the last ten minutes are kept.

    Args:
        fps: pictures per second.
    """

    def __init__(self, fps: float):
        self._every = max(1, round(fps / PER_SECOND))
        per_second = fps / self._every
        self._near, self._far = max(2, round(NEAR * per_second)), round(FAR * per_second)
        self._kept = torch.empty(0)

    def picked(self, first: int, thumbs: Tensor) -> tuple[Thumb, ...]:
        """Return the thumbnails to keep of a chunk ``[N, Y, X]`` whose first picture is given."""
        steps = (thumbs[-first % self._every :: self._every] * STEPS).round().clamp(-MOST, MOST)
        return tuple(tuple(map(int, thumb)) for thumb in steps.flatten(1).tolist())

    def skipped(self, first: int, picture: int) -> int:
        """Return how many thumbnails of a chunk lie before one of its pictures."""
        return len(range(-first % self._every, picture, self._every))

    def add(self, thumbs: Sequence[Thumb]) -> None:
        if thumbs:
            new = _read(thumbs)
            kept = torch.cat([self._kept, new]) if len(self._kept) else new
            self._kept = kept[-self._far :]

    def match(self, thumbs: Sequence[Thumb], skip: int = 0) -> float | None:
        """Return how much a new chunk is like an earlier stretch, more than two seconds before it.

        How far the video went away between the two, over how near it is to it now: 1 for what
        never went away, or never came back. None while there is no such stretch.

        Args:
            skip: so many thumbnails do not belong to what may have come back.
        """
        kept = torch.cat([self._kept, _read(thumbs[:skip])]) if skip else self._kept
        return _match(_read(thumbs[skip:]), kept, self._near) if len(thumbs) - skip > 1 else None


def _match(new: Tensor, past: Tensor, least: int) -> float | None:
    count, kept = len(new), len(past)
    nearest = max(least, count)
    if kept < nearest:
        return None
    # lags of stretches that lie wholly in the past
    lags = torch.arange(nearest, kept + 1)
    rows = torch.arange(count)[:, None]
    near = _apart(new, past)[rows, kept + rows - lags].square().mean(0).sqrt()
    best = int(near.argmin())
    since = kept + count // 2 - int(lags[best])
    away = _apart(new[count // 2 :][:1], past[since:])
    return float(away.max() / (near[best] + NOISE))


def _read(thumbs: Sequence[Thumb]) -> Tensor:
    return torch.tensor(thumbs, dtype=torch.float32).reshape(len(thumbs), -1) / STEPS


def _apart(one: Tensor, other: Tensor) -> Tensor:
    """Return root mean square differences ``[N, M]`` of rows."""
    exact = "donot_use_mm_for_euclid_dist"
    return torch.cdist(one, other, compute_mode=exact) / one.shape[1] ** 0.5
