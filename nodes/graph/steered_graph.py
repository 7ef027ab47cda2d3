"""The graph of a run, in which Prompt Schedule comes to say what really ran.

A graph comes in two forms: nodes and their inputs by name, as the host runs it, and the page's own,
in which widgets are a list and subgraphs are nodes of a kind that is defined beside them.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Any

SCHEDULE, INPUT, TEXT = "HeadForcingPromptSchedule", "prompts", "text"
# widgets once more, by name: newer pages save them beside the list, and may believe them first
NAMED = "widgets_values_named"
# where the host notes what a node's fingerprint was
COUNT = "is_changed"


@dataclass(frozen=True)
class SteeredGraph:
    """What a sampler knows of its graph, as the host hands it to nodes that save it.

    Args:
        prompt: inputs of nodes by name; None: the host tells none.
        page: what the page adds, with its graph as "workflow".
        node: the sampler, as the host names it.
    """

    prompt: dict[str, Any] | None
    page: Mapping[str, Any] | None
    node: str | None

    @property
    def schedule(self) -> str:
        """The node whose text is the schedule of this sampler, and of nothing else.

        Raises:
            ValueError: if there is none: a text could not say what ran, and run again.
        """
        prompt = self.prompt or {}
        name = _origin(prompt.get(self.node or "", {}), INPUT)
        if name is None or prompt.get(name, {}).get("class_type") != SCHEDULE:
            raise ValueError(
                "prompts must come straight from Prompt Schedule to be told on the way, got "
                "another node, or none"
            )
        readers = sorted(reader for reader in prompt if _reads(prompt[reader], name))
        if readers != [self.node]:
            raise ValueError(
                "Prompt Schedule must feed this sampler alone to be told on the way, got nodes "
                f"{', '.join(readers)}, which it would tell too when the graph is run again"
            )
        self._place(name)
        return name

    def check(self) -> None:
        """Refuse a graph that cannot be made to say another schedule.

        Raises:
            ValueError: if it is one.
        """
        tried = replace(self, prompt=deepcopy(self.prompt), page=deepcopy(self.page))
        try:
            tried.write("")
        except (AttributeError, LookupError, TypeError) as error:
            raise ValueError(
                "the graph that came with the run must be as the page saves it for prompts to be "
                "told on the way, got another form; queue it from the page, or without a workflow"
            ) from error

    def begin(self, text: str | None) -> None:
        """Let the graph say what a run begins with, whatever was told on the way before it.

        A sampler that is run for each of a list has one graph for all. And the host notes in it
        how often the sampler was told prompts: in one that is read from a file and queued again it
        would believe that, and answer with what the sampler made meanwhile.

        Args:
            text: the schedule as it was typed; None: it is not known.
        """
        nodes = self.prompt or {}
        own = nodes.get(self.node or "", {})
        own.pop(COUNT, None)
        said = nodes.get(_origin(own, INPUT) or "", {}).get("inputs", {}).get(TEXT)
        if text is not None and isinstance(said, str) and said != text:
            self.write(text)

    def write(self, text: str) -> None:
        """Let the graph say a schedule, in both of its forms; what saves it later saves that.

        Raises:
            ValueError: see ``schedule``.
        """
        name = self.schedule
        self.prompt[name]["inputs"][TEXT] = text
        place = self._place(name)
        if place is not None:
            graph, node = place
            values = node.get("widgets_values")
            if isinstance(values, dict):
                values[TEXT] = text
            else:  # the text comes first
                node["widgets_values"] = [text, *(values or [])[1:]]
            if node.get(NAMED) is not None:
                node[NAMED][TEXT] = text
            _disconnect(graph, node)

    def _place(self, name: str) -> tuple[dict[str, Any], dict[str, Any]] | None:
        """Return a node in the page's form, and the graph or subgraph it is in; None: no page."""
        workflow = (self.page or {}).get("workflow")
        if not isinstance(workflow, dict):
            return None
        defined = (workflow.get("definitions") or {}).get("subgraphs") or []
        inside = {one["id"]: one for one in defined}
        *path, last = name.split(":")
        graph = workflow
        for step in path:
            kind = (_node(graph, step) or {}).get("type")
            uses = [n for g in (workflow, *defined) for n in g["nodes"] if n["type"] == kind]
            if len(uses) > 1:
                raise ValueError(
                    "Prompt Schedule must be in the graph once to be told on the way, got one in a "
                    f"subgraph that is used {len(uses)} times"
                )
            graph = inside.get(kind)
            if graph is None:
                break
        node = graph and _node(graph, last)
        if not node:
            raise ValueError(
                "the graph that came with the run must have its Prompt Schedule to be told on the "
                f"way, got none of the name {name}"
            )
        return graph, node


def _origin(node: Mapping[str, Any], name: str) -> str | None:
    """Return the node that an input is connected to."""
    link = node.get("inputs", {}).get(name)
    return str(link[0]) if isinstance(link, list) and len(link) == 2 else None


def _reads(node: Mapping[str, Any], name: str) -> bool:
    """Whether a node is told the schedule of another; the plan of it is a text and no matter."""
    links = [link for link in node.get("inputs", {}).values() if isinstance(link, list)]
    return any(len(link) == 2 and str(link[0]) == name and link[1] == 0 for link in links)


def _node(graph: Mapping[str, Any], name: str) -> dict[str, Any] | None:
    return next((node for node in graph["nodes"] if str(node["id"]) == name), None)


def _disconnect(graph: dict[str, Any], node: dict[str, Any]) -> None:
    """Take away what is connected to the text: the widget says it now."""
    for socket in node.get("inputs") or []:
        link = socket.get("link")
        if socket.get("name") != TEXT or link is None:
            continue
        socket["link"] = None
        graph["links"] = [one for one in graph.get("links") or [] if _number(one) != link]
        for other in graph["nodes"]:
            for output in other.get("outputs") or []:
                output["links"] = [one for one in output.get("links") or [] if one != link]
        for given in graph.get("inputs") or []:  # of a subgraph
            given["linkIds"] = [one for one in given.get("linkIds") or [] if one != link]


def _number(link: object) -> object:
    return link.get("id") if isinstance(link, dict) else link[0]
