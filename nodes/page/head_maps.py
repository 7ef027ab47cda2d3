"""Head maps that the page shows: of a file, or of the last run, with edits that are not run yet."""

from __future__ import annotations

from collections.abc import Mapping

from ...headforcing_core.heads import EditedMap, described, with_edits
from ...headforcing_core.methods import HeadMap, read_head_map
from ..host import KNOWN_MAPS, listed_path
from .question import Question, Refused

# edits of nodes that stand behind each other
MOST_STEPS = 64
PLACE = {"file": str, "node": str, "made_of": dict, "steps": list}


def head_map(
    file: str | None,
    node: str | None,
    made_of: dict | None,
    steps: list | None,
    change: str | None,
    edits: str | None,
    beside: dict | None,
) -> dict[str, object]:
    """Return a map as the node will give it, and whether it is of the graph as it is.

    Args:
        file: one that Load Head Map can choose; or else
        node: one that has run, and ``made_of``, the graph it is in.
        steps: edits made of it on the way, in order.
        change, edits: those of the node that shows it; edits that cannot be made are ``refused``.
        beside: another map, told by the same names.

    Raises:
        Refused: if no such map is known.
        ValueError: if it cannot be read, or what is on the way cannot be made.
    """
    incoming, current, whose = _found(file, node, made_of, steps)
    other, its = (None, True) if beside is None else _beside(beside)
    refused = None
    try:
        edited = EditedMap(incoming, change or "", edits or "", whose)
        answer = described(edited, other)
    except ValueError as error:
        refused, answer = str(error), described(EditedMap(incoming))
    return {**answer, "current": current, "beside_current": its, "refused": refused}


def _found(
    file: str | None, node: str | None, made_of: dict | None, steps: list | None
) -> tuple[HeadMap, bool, str]:
    whose = "the map's scheme"
    if file is not None:
        found, current = read_head_map(listed_path(file)), True
    else:
        known = KNOWN_MAPS.find(node or "", made_of or {})
        if known is None:
            raise Refused(f"node must have run to have a map, got {(node or '')[:80]!r}", 404)
        (kept, current) = known
        found, whose = kept.head_map, kept.whose
    for step in _texts(steps or []):
        found = with_edits(found, step)
    return found, current, whose


def _beside(told: Mapping[str, object]) -> tuple[HeadMap, bool]:
    for name, value in told.items():
        if value is not None and type(value) is not PLACE.get(name):
            raise Refused(f"beside must be told by {', '.join(PLACE)}, got {str(name)[:40]!r}")
    found, current, _ = _found(*(told.get(name) for name in PLACE))
    return found, current


def _texts(steps: list) -> list[str]:
    if len(steps) > MOST_STEPS or not all(isinstance(step, str) for step in steps):
        raise Refused(f"steps must be up to {MOST_STEPS} texts of edits, got {len(steps)} steps")
    return steps


HEAD_MAP = Question(
    "head_map", {}, head_map, {**PLACE, "change": str, "edits": str, "beside": dict}
)
