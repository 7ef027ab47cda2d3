"""Which head map a method is compared with: the profile's, one typed otherwise, or a control."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch

from ...heads import HeadForcingTypes
from ...methods import HeadMap, head_forcing, with_values
from ...video import check_seed
from ..profiles import PAPER_MAP

# the others are controls of what a map is worth, at the same budget
PROFILED, PAPER, RANDOM, INVERSE, UNIFORM = "profile", "paper", "random", "inverse", "uniform"
MODES = (PROFILED, PAPER, RANDOM, INVERSE, UNIFORM)
MAP, THRESHOLD = "map=", "tau_"


@dataclass(frozen=True)
class MapChoice:
    """What is said of the map: ``map=random:3``, ``tau_local=0.4``.

    ``map`` is one of profile, paper (as the paper types heads, without returns), random (types
    dealt out anew; a number after it is the draw), inverse (local and memory heads exchanged, and
    those that recall with others) and uniform (all heads alike). Thresholds of Head Forcing type
    the heads anew from what was measured; in this no head is in doubt.

    Args:
        mode: one of MODES.
        draw: seed of ``random`` and ``inverse``.
        rule: what types heads anew; None: they keep the types of the map.
    """

    mode: str = PROFILED
    draw: int = 0
    rule: HeadForcingTypes | None = None

    @classmethod
    def parse(cls, said: Sequence[str], scheme: str | None, text: str) -> MapChoice:
        """Read what is said of a map.

        Args:
            said: the settings that are about it.
            scheme: whose types the method has; None: it has no map.
            text: all that was asked for.

        Raises:
            ValueError: if there is no such map, or not for this method.
        """
        mode, colon, draw = (
            ([s for s in said if s.startswith(MAP)] or [MAP + PROFILED])[-1]
            .removeprefix(MAP)
            .partition(":")
        )
        thresholds = [s for s in said if not s.startswith(MAP)]
        if said and (mode not in MODES or scheme is None):
            raise ValueError(
                f"map must be one of {', '.join(MODES)}, of a method that has a map, got {text!r}"
            )
        if colon and not (mode in (RANDOM, INVERSE) and draw.isdecimal()):
            raise ValueError(
                f"a draw must be a whole number after map={RANDOM} or map={INVERSE}, got {text!r}"
            )
        own = scheme == head_forcing.SCHEME
        if (mode in (INVERSE, PAPER) or thresholds) and not own:
            raise ValueError(
                f"map={INVERSE}, map={PAPER} and thresholds must come with head_forcing, "
                f"got {text!r}"
            )
        if mode == PAPER and thresholds:
            raise ValueError(
                f"thresholds must come without map={PAPER}, got {text!r}; use tau_return=1 for "
                "types without returns"
            )
        if colon:
            check_seed(int(draw))
        rule = with_values(HeadForcingTypes(), thresholds) if thresholds else None
        return cls(mode, int(draw or 0), rule)

    def of(self, maps: Mapping[str, HeadMap], scheme: str) -> HeadMap:
        """Return the map; for ``uniform`` the one that says how much there is to share.

        Args:
            maps: of the model, by scheme, and by the names of ``profiles``.
        """
        head_map = maps[PAPER_MAP if self.mode == PAPER else scheme]
        if self.rule is not None:
            head_map = _typed_anew(head_map, self.rule)
        if self.mode == RANDOM:
            return head_map.shuffled(self.draw)
        if self.mode == INVERSE:
            head_map = head_map.swapped(head_forcing.LOCAL, head_forcing.MEMORY, self.draw)
            if head_forcing.RECALL in head_map.counts:
                other = head_forcing.MEMORY
                head_map = head_map.swapped(head_forcing.RECALL, other, self.draw)
        return head_map


def _typed_anew(head_map: HeadMap, rule: HeadForcingTypes) -> HeadMap:
    """Type the heads of a map from what was measured of them."""
    measured = {name: torch.tensor(v) for name, v in head_map.evidence.statistics.items()}
    types = rule.types(measured)
    if "returns" in measured and rule.tau_return < 1:
        recall = (measured["returns"] >= rule.tau_return).tolist()
        types = tuple(
            tuple(rule.recalls if r else kind for kind, r in zip(row, rows, strict=True))
            for row, rows in zip(types, recall, strict=True)
        )
    return HeadMap(head_map.scheme, types, f"{head_map.source}, typed anew")
