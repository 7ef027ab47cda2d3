"""Head maps of the last runs, for pages that ask: the newest 32, until the server ends."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from threading import Lock

from ...headforcing_core.heads import EditedMap
from ...headforcing_core.methods import HeadMap

MOST = 32
# of what a page tells of a graph
DEEPEST = 200


@dataclass(frozen=True)
class KnownMap:
    """A map that a run made.

    Args:
        node: its name in the prompt; inside of subgraphs a path.
        made_of: the prompt it ran in: ``{name: {"class_type", "inputs"}}``.
        head_map: before the edits of the node itself.
        apart: widgets of the node that only edit the map.
        whose: what the map's scheme is, in a sentence.
    """

    node: str
    made_of: Mapping[str, Mapping]
    head_map: HeadMap
    apart: frozenset[str]
    whose: str = "the map's scheme"

    @property
    def kind(self) -> str:
        return str(self.made_of.get(self.node, {}).get("class_type"))

    def is_of(self, node: str, graph: Mapping[str, object]) -> bool:
        """Whether a node of another graph is made as this one was: the map would be the same."""
        return _same(self.made_of, self.node, graph, node, self.apart, DEEPEST)


class KnownMaps:
    """The newest maps. Nodes add them while they run, the server's thread looks for them."""

    def __init__(self) -> None:
        self._maps: list[KnownMap] = []
        self._lock = Lock()

    def add(self, known: KnownMap) -> None:
        with self._lock:
            others = [k for k in self._maps if not (k.node == known.node and _equal(k, known))]
            self._maps = [known, *others][:MOST]

    def find(self, node: str, graph: Mapping[str, object]) -> tuple[KnownMap, bool] | None:
        """Return the map of a node as it is now, and True; else of its last run, and False."""
        with self._lock:
            maps = list(self._maps)
        for known in maps:
            if known.is_of(node, graph):
                return known, True
        kind = _entry(graph, node).get("class_type")
        last = node.split(":")[-1]
        for known in maps:
            if known.node.split(":")[-1] == last and known.kind == kind:
                return known, False
        return None


def _equal(one: KnownMap, other: KnownMap) -> bool:
    return one.is_of(other.node, other.made_of)


def _entry(graph: Mapping[str, object], node: object) -> Mapping[str, object]:
    entry = graph.get(node) if isinstance(node, str) else None
    return entry if isinstance(entry, Mapping) else {}


def _same(
    mine: Mapping[str, object],
    my_node: str,
    its: Mapping[str, object],
    its_node: str,
    apart: frozenset[str],
    depth: int,
) -> bool:
    """Whether two nodes are of one kind, have the same values, and are fed by such nodes.

    A value that the other graph does not tell of is no difference: pages have widgets that are not
    sent, and prompts values that no page shows; a connection that is only in one is.
    """
    seen: set[tuple[str, str]] = set()

    def same(one: str, other: str, apart: frozenset[str], depth: int) -> bool:
        if (one, other) in seen:
            return True
        seen.add((one, other))
        here, there = _entry(mine, one), _entry(its, other)
        if not here or here.get("class_type") != there.get("class_type") or depth == 0:
            return False
        ours, theirs = _inputs(here, apart), _inputs(there, apart)
        return all(
            alike(ours.get(name), theirs.get(name), depth)
            for name in ours.keys() | theirs.keys()
            if (name in ours and name in theirs) or _linked(ours.get(name), theirs.get(name))
        )

    def alike(one: object, other: object, depth: int) -> bool:
        if _is_link(one) and _is_link(other):
            return one[1] == other[1] and same(one[0], other[0], frozenset(), depth - 1)
        return one == other

    return same(my_node, its_node, apart, depth)


def _inputs(entry: Mapping[str, object], apart: frozenset[str]) -> dict[str, object]:
    inputs = entry.get("inputs")
    told = inputs.items() if isinstance(inputs, Mapping) else ()
    return {name: value for name, value in told if name not in apart}


def _linked(one: object, other: object) -> bool:
    return _is_link(one) or _is_link(other)


def _is_link(value: object) -> bool:
    return isinstance(value, list) and len(value) == 2 and isinstance(value[0], str)


# one for all: a host has one server
KNOWN_MAPS = KnownMaps()


def keep_map(hidden: object, edited: EditedMap, *apart: str) -> None:
    """Keep a node's map for its page.

    Args:
        hidden: what the host fills in: ``unique_id`` and ``prompt``.
        apart: names of its widgets that only edit the map, besides ``edits``.
    """
    if hidden is None or hidden.unique_id is None or not isinstance(hidden.prompt, Mapping):
        return
    names = frozenset({"edits", *apart})
    node = str(hidden.unique_id)
    KNOWN_MAPS.add(KnownMap(node, hidden.prompt, edited.incoming, names, edited.whose))
