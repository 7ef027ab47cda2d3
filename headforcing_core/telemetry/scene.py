"""What is known of a scene so far: its first seconds, its last chunk, and its thumbnails."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from .bands import SLACK, Band
from .measures import Measures
from .recurrence import Past

# seconds at the beginning of a scene that the rest is compared with
FIRST_SECONDS = 3.0
_CHANGES = ("coarse change", "tiny change")


class Scene:
    """The state of a scene, a function of the measures of its chunks.

    Args:
        fps: pictures per second.
    """

    def __init__(self, fps: float):
        self.past = Past(fps)
        self.last: Measures | None = None
        self._pictures, self._first = 0, FIRST_SECONDS * fps
        self._sums: dict[str, tuple[float, int]] = {}

    @property
    def out(self) -> tuple[str, ...]:
        """What is out of its band."""
        return self.last.out if self.last else ()

    @property
    def has_base(self) -> bool:
        """Whether the first seconds are over."""
        return self._pictures >= self._first

    def take(self, measures: Measures) -> None:
        """Make a chunk part of the past."""
        if not self.has_base:
            changes = dict(zip(_CHANGES, measures.changes, strict=False))
            for name, value in {**measures.values, **changes}.items():
                if value is not None:
                    total, count = self._sums.get(name, (0.0, 0))
                    weight = measures.count
                    self._sums[name] = (total + weight * value, count + weight)
        self._pictures += measures.count
        self.past.add(measures.thumbs)
        self.last = measures

    def base(self, name: str) -> float | None:
        """Return the mean of a measure in the first seconds, as far as they are known."""
        total, count = self._sums.get(name, (0.0, 0))
        return total / count if count else None

    def usual_changes(self) -> tuple[float, float]:
        """Return the changes of the first seconds, of coarse and of tiny copies."""
        return tuple(self.base(name) or 0.0 for name in _CHANGES)

    def against(
        self, values: Mapping[str, float | None], bands: Mapping[str, Band]
    ) -> dict[str, float | None]:
        """Compare values with the first seconds, as their bands want them."""
        return {name: self.compared(name, values[name], band) for name, band in bands.items()}

    def outside(
        self, against: Mapping[str, float | None], bands: Mapping[str, Band]
    ) -> tuple[str, ...]:
        """Return what is out of its band; what was out must come back some way into it."""
        return tuple(
            name
            for name, band in bands.items()
            if not band.holds(against[name], SLACK if name in self.out else 0.0)
        )

    def compared(self, name: str, value: float | None, band: Band) -> float | None:
        """Compare a value with the first seconds, as its band wants it; None if nothing can be."""
        if value is None or band.form == "plain":
            return value
        base = self.base(name)
        if base is None or not self.has_base:
            return None
        if band.form == "ratio":
            return (value + band.least) / (base + band.least)
        return value - base


def turned(before: Sequence[str], now: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Return what has left its band, and what is back."""
    return {
        "left": tuple(name for name in now if name not in before),
        "back": tuple(name for name in before if name not in now),
    }
