"""Methods as they are compared: by name, with settings, and a head map of the demo model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from ...methods import HeadMap, Method, SinkWindow, head_forcing, settings_named, with_values
from ..networks import FAMILY

# controls of what a map is worth, at the same budget
PROFILED, INVERSE = "profile", "inverse"
MAP_MODES = (PROFILED, "random", INVERSE, "uniform")
MAP_SEED = 0


@dataclass(frozen=True)
class Compared:
    """One method as it is compared.

    Args:
        name: as it was asked for.
    """

    name: str
    method: Method
    head_map: HeadMap | None = None

    @property
    def one_by_one(self) -> bool:
        """Whether videos cannot be made side by side, because each chooses what it keeps."""
        return self.method.looks


@dataclass(frozen=True)
class Spec:
    """A method as it is asked for: ``head_forcing:compact,episodes.count=3,map=random``.

    ``map`` is one of profile, random (types dealt out anew), inverse (local and memory heads
    exchanged) and uniform (for all heads alike, first frames and as many last ones as the budget
    allows).
    """

    name: str
    method: Method
    map_mode: str = PROFILED

    @classmethod
    def parse(cls, text: str) -> Spec:
        """Read a name with settings.

        Raises:
            ValueError: if there is no such method, setting or map, or its budget is too large.
        """
        name, *settings = (part.strip() for part in text.split(","))
        modes = [part.removeprefix("map=") for part in settings if part.startswith("map=")]
        settings = [part for part in settings if not part.startswith("map=")]
        method = with_values(settings_named(name), settings).build(FAMILY.frames_per_chunk)
        method.check(FAMILY.frames_per_chunk, FAMILY.horizon)
        if modes and (modes[-1] not in MAP_MODES or not method.needs_map):
            raise ValueError(
                f"map must be one of {', '.join(MAP_MODES)}, of a method that has a map, "
                f"got {text!r}"
            )
        mode = modes[-1] if modes else PROFILED
        if mode == INVERSE and method.scheme != head_forcing.SCHEME:
            raise ValueError(f"map=inverse must come with head_forcing, got {text!r}")
        return cls(text, method, mode)

    def on(self, maps: Mapping[str, HeadMap]) -> Compared:
        """Return the method with the head map it needs.

        Args:
            maps: of the model, by scheme.
        """
        if not self.method.needs_map:
            return Compared(self.name, self.method)
        head_map = maps[self.method.scheme]
        match self.map_mode:
            case "uniform":
                return Compared(self.name, _uniform(self.method, head_map))
            case "random":
                head_map = head_map.shuffled(MAP_SEED)
            case "inverse":
                pair = (head_forcing.LOCAL, head_forcing.MEMORY)
                head_map = head_map.swapped(*pair, MAP_SEED)
        return Compared(self.name, self.method, head_map)


def without_map(name: str) -> Compared:
    """Return a method that needs no head map."""
    return Spec.parse(name).on({})


def _uniform(method: Method, head_map: HeadMap) -> Method:
    """Give every head the same: first frames and last frames, in all as many as the method has.

    A new prompt does what it does with the method.
    """
    counts = head_map.counts
    total = sum(n * method.rules[type_].policy.seen for type_, n in counts.items())
    window = total // sum(counts.values()) + FAMILY.frames_per_chunk
    alike = SinkWindow(window=window).build(FAMILY.frames_per_chunk)
    return replace(alike, switch=method.switch)
