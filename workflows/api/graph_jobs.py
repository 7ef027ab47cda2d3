"""Jobs: a graph in API format, and inputs of it that change."""

from __future__ import annotations

import copy
import json
import math
import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import product
from pathlib import Path

MOST_JOBS, LARGEST_FILE = 100_000, 64_000_000
NAME = "name"
# letters of a key, and of the words before it
KEY, WORDS = 16, 40
EXPORT = "choose Workflow > Export (API) in ComfyUI's menu"
WRAPPED = "__value__"
# of ComfyUI's kinds of widgets, the values they take
KINDS: Mapping[str, tuple[str, tuple[type, ...]]] = {
    "INT": ("a whole number", (int,)),
    "FLOAT": ("a number", (int, float)),
    "STRING": ("words", (str,)),
    "BOOLEAN": ("true or false", (bool,)),
    "COMBO": ("one of its choices", (str, int, float, bool)),
}


@dataclass(frozen=True)
class Graph:
    """Nodes by number, as *Export (API)* writes them."""

    name: str
    nodes: Mapping[str, Mapping[str, object]]

    @property
    def kinds(self) -> list[str]:
        return sorted({node["class_type"] for node in self.nodes.values()})

    def place(self, said: str) -> tuple[str, str]:
        """Return (node, input) of ``NODE.INPUT``: a node's number, else its title or class.

        Raises:
            ValueError: if it is not one widget of one node.
        """
        splits = [(said[:at], said[at + 1 :]) for at, sign in enumerate(said) if sign == "."]
        for names in (self._numbered, self._titled):
            there = [(number, rest) for node, rest in splits for number in names(node)]
            found = {(n, rest) for n, rest in there if rest in self.nodes[n]["inputs"]}
            if len(found) > 1:
                numbers = ", ".join(sorted(number for number, _ in found))
                raise ValueError(
                    f"{said} must be one input, got those of nodes {numbers}; name it by number"
                )
            if found:
                return self._widget(said, *found.pop())
            if there:
                inputs = ", ".join(sorted({i for n, _ in there for i in self._widgets(n)}))
                raise ValueError(
                    f"{said} must name an input that {self.name} gives a value, got none of "
                    f"{inputs or 'which there are none'}"
                )
        nodes = ", ".join(f"{n} ({_title(node)})" for n, node in self.nodes.items())
        nodes = textwrap.shorten(nodes, 300, placeholder=" ...")
        raise ValueError(f"{said} must be NODE.INPUT of a node of {self.name}, which has {nodes}")

    def value(self, place: tuple[str, str]) -> object:
        number, name = place
        return self.nodes[number]["inputs"][name]

    def changed(self, changes: Mapping[tuple[str, str], object]) -> dict[str, dict[str, object]]:
        nodes = copy.deepcopy(dict(self.nodes))
        for (number, name), value in changes.items():
            wrapped = isinstance(self.value((number, name)), dict) and isinstance(value, list)
            nodes[number]["inputs"][name] = {WRAPPED: value} if wrapped else value
        return nodes

    def _numbered(self, node: str) -> list[str]:
        return [node] if node in self.nodes else []

    def _titled(self, node: str) -> list[str]:
        return [n for n, each in self.nodes.items() if node in (_title(each), each["class_type"])]

    def _widgets(self, number: str) -> list[str]:
        inputs = self.nodes[number]["inputs"]
        return [name for name, value in inputs.items() if not _is_link(value)]

    def _widget(self, said: str, number: str, name: str) -> tuple[str, str]:
        value = self.value((number, name))
        if _is_link(value):
            raise ValueError(
                f"{said} must have a value of its own, got a link from node {value[0]}"
            )
        return number, name


@dataclass(frozen=True, eq=False)
class Job:
    """A graph to run.

    Args:
        where: file and line.
        said: what the line says, with one value each; for people.
        changes: the same, by (node, input).
        graph: with the changes, as a host takes it.
        label: for people.
    """

    where: str
    said: Mapping[str, object]
    changes: Mapping[tuple[str, str], object]
    graph: Mapping[str, Mapping[str, object]]
    label: str

    @property
    def key(self) -> str:
        """Of all that decides the result; titles do not."""
        bare = {n: [node["class_type"], node["inputs"]] for n, node in self.graph.items()}
        return sha256(json.dumps(bare, sort_keys=True).encode()).hexdigest()[:KEY]

    @property
    def name(self) -> str:
        return f"{self.label}_{self.key}"


def read_graph(path: Path) -> Graph:
    """Read a graph in API format.

    Raises:
        ValueError: if it is none.
    """
    nodes = _parsed(_text(path), path.name)
    if isinstance(nodes, dict) and isinstance(nodes.get("nodes"), list):
        raise ValueError(
            f"{path.name} must be in API format, got a workflow as the page saves it; {EXPORT}"
        )
    if not isinstance(nodes, dict) or not nodes or not all(map(_is_node, nodes.values())):
        raise ValueError(f"{path.name} must be nodes with a class_type and inputs each; {EXPORT}")
    return Graph(path.name, nodes)


def read_jobs(path: Path, graph: Graph) -> list[Job]:
    """Read a file of jobs, a JSON object a line.

    Raises:
        ValueError: if something of it cannot be made of the graph.
    """
    found: dict[str, Job] = {}
    for number, line in enumerate(_text(path).split("\n"), 1):
        where = f"{path.name}, line {number}"
        if not line.strip():
            continue
        try:
            for job in _jobs(where, _parsed(line, "a job"), graph):
                found.setdefault(job.key, job)
        except ValueError as error:
            raise ValueError(f"{where}: {error}") from error
        if len(found) > MOST_JOBS:
            raise ValueError(f"{where}: at most {MOST_JOBS} jobs must come together, got more")
    if not found:
        raise ValueError(f"{path.name} must have a job a line, got none")
    return list(found.values())


def check_values(jobs: Sequence[Job], graph: Graph, known: Mapping[str, object]) -> None:
    """Check that values are of the type that their inputs take.

    Args:
        known: what a host says of the nodes, by class.

    Raises:
        ValueError: if one is not. Ranges and choices are left to the host.
    """
    for job in jobs:
        for (place, value), said in zip(job.changes.items(), job.said, strict=True):
            rule, types = _kind(graph, place, known)
            # of Python's numbers, true is one
            wrong = isinstance(value, bool) and bool not in types
            if types and (wrong or not isinstance(value, types)):
                raise ValueError(f"{job.where}: {said} must be {rule}, got {_shown(value)}")


def _kind(graph: Graph, place: tuple[str, str], known: Mapping[str, object]) -> tuple[str, tuple]:
    """Return how to say what an input takes, and the types of that; none where all is taken."""
    number, name = place
    inputs = known[graph.nodes[number]["class_type"]].get("input", {})
    spec = {**inputs.get("required", {}), **inputs.get("optional", {})}.get(name)
    kind = spec[0] if spec else None
    kind, now = "COMBO" if isinstance(kind, list) else kind, graph.value(place)
    if _takes_list(now):
        return "a list", (list,)
    if kind in KINDS:
        return KINDS[kind]
    # an input of an input: the host tells no type of it apart
    for like in ("BOOLEAN", "FLOAT", "STRING"):
        if isinstance(now, KINDS[like][1]):
            return KINDS[like]
    return "anything", ()


def _jobs(where: str, value: object, graph: Graph) -> Iterator[Job]:
    """Yield the jobs of a line: one for every choice among values that are lists."""
    if not isinstance(value, dict):
        raise ValueError(f"a job must be a JSON object, got {_shown(value)}")
    label = value.pop(NAME, None)
    if label is not None and not isinstance(label, str):
        raise ValueError(f"name must be words, got {_shown(label)}")
    places = {said: graph.place(said) for said in value}
    twice = [said for said, at in places.items() if list(places.values()).count(at) > 1]
    if twice:
        raise ValueError(f"an input must be named once, got {' and '.join(twice)}")
    choices = [_choices(said, each, graph.value(places[said])) for said, each in value.items()]
    if math.prod(map(len, choices)) > MOST_JOBS:
        raise ValueError(f"at most {MOST_JOBS} jobs must come together, got more")
    for chosen in product(*choices):
        said = dict(zip(value, chosen, strict=True))
        changes = {places[name]: one for name, one in said.items()}
        words = _slug(label or graph.name.removesuffix(".json"))
        yield Job(where, said, changes, graph.changed(changes), words)


def _choices(said: str, value: object, now: object) -> list[object]:
    if _takes_list(now) or not isinstance(value, list):
        return [value]
    if not value:
        raise ValueError(f"{said} must have a value to try, got an empty list")
    return value


def _takes_list(now: object) -> bool:
    return isinstance(now, list) or (isinstance(now, dict) and isinstance(now.get(WRAPPED), list))


def _is_node(node: object) -> bool:
    return (
        isinstance(node, dict)
        and isinstance(node.get("class_type"), str)
        and isinstance(node.get("inputs"), dict)
    )


def _is_link(value: object) -> bool:
    shape = isinstance(value, list) and len(value) == 2
    return shape and isinstance(value[0], str) and type(value[1]) is int


def _title(node: Mapping[str, object]) -> str:
    meta = node.get("_meta")
    title = meta.get("title") if isinstance(meta, dict) else None
    return title if isinstance(title, str) and title else node["class_type"]


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > LARGEST_FILE:
            raise ValueError(f"{path} must have at most {LARGEST_FILE} bytes, got more")
        return path.read_text("utf-8-sig")
    except OSError as error:
        raise ValueError(f"{path} must be a file that can be read, got {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} must be text in UTF-8, got other bytes") from error


def _parsed(text: str, what: str) -> object:
    def never(constant: str) -> None:
        raise ValueError(f"{constant} is no number of JSON")

    def finite(number: str) -> float:
        return float(number) if math.isfinite(float(number)) else never(number)

    def once(pairs: list[tuple[str, object]]) -> dict[str, object]:
        if len(dict(pairs)) < len(pairs):
            raise ValueError("a name is there twice")
        return dict(pairs)

    try:
        return json.loads(text, parse_constant=never, parse_float=finite, object_pairs_hook=once)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{what} must be JSON, got {_shown(text)} ({error})") from error


def _shown(value: object) -> str:
    said = repr(value) if isinstance(value, str) else json.dumps(value)
    return said if len(said) <= 60 else f"{said[:57]}..."


def _slug(words: str) -> str:
    """Return words as part of a file's name, on any system."""
    plain = re.sub(r"[^a-z0-9]+", "_", words.lower()).strip("_")
    return plain[:WORDS].strip("_") or "job"
