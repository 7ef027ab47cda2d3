"""Workflows as the host's page saves them: built from a short description, and read back."""

from typing import NamedTuple

from node_heights import height_opened, heights_of

WIDGETS = {"INT", "FLOAT", "STRING", "BOOLEAN", "COMBO", "COMFY_DYNAMICCOMBO_V3"}


def is_widget(spec):
    kind, options = spec[0], spec[1] if len(spec) > 1 else {}
    return (isinstance(kind, list) or kind in WIDGETS) and not options.get("forceInput")


def fields(info, section=("required", "optional")):
    for part in section:
        for name in info["input_order"].get(part, []):
            yield name, info["input"][part][name]


def default_of(spec):
    options = spec[1] if len(spec) > 1 else {}
    choices = spec[0] if isinstance(spec[0], list) else options.get("options", [None])
    first = choices[0]["key"] if isinstance(choices[0], dict) else choices[0]
    return options.get("default", first)


def nested(spec, key):
    """Return [(name, spec)] of the widgets that a choice of a dynamic combo has."""
    (option,) = (o for o in spec[1]["options"] if o["key"] == key)
    inputs = option["inputs"]
    return [*inputs.get("required", {}).items(), *inputs.get("optional", {}).items()]


# a node of which only the title is shown, and one as tall as its kind is
CLOSED, OWN = None, "own"
TITLE, GAP, EDGE = 30, 34, 30
CLOSED_SIZE = (225, 0)
# of the oldest host that has been tried with these
CORE = {"cnr_id": "comfy-core", "ver": "0.8.0"}
OURS = {"cnr_id": "headforcing", "ver": "0.1.0"}


class Model(NamedTuple):
    """A file that a workflow needs, for the page to offer it."""

    name: str
    url: str
    directory: str


class Column(NamedTuple):
    """A group of nodes under each other.

    heights: title of a node -> height under its title, OWN, or CLOSED.
    stairs: how much further right each stands than the one above, so that links run forward.
    """

    title: str
    width: int
    heights: dict
    stairs: int = 12


def places_of(columns, graph):
    """Return {title: (x, y, width, height)} and the groups around the columns.

    A node stands below the room that the one above takes after a run; a group has room for all.
    """
    kinds = [described[0] for described in graph.values() if not isinstance(described, str)]
    places, groups, x = {}, [], 0
    for number, column in enumerate(columns, start=1):
        y, right = 0, x + column.width
        for step, (title, height) in enumerate(column.heights.items()):
            at, width, room = x + step * column.stairs, column.width, height
            if height is CLOSED:
                width, height = CLOSED_SIZE
                room = height
            elif height is OWN:
                height, room = heights_of(*graph[title], width, kinds)
            places[title] = (at, y, width, height)
            right = max(right, at + width)
            y += room + TITLE + GAP
        bounding = [x - 10, -TITLE - 44, right - x + 20, y - GAP + 58]
        groups.append(
            {"id": number, "title": column.title, "bounding": bounding, "color": "#3f789e",
             "font_size": 22, "flags": {}}
        )  # fmt: skip
        x = right + EDGE
    return places, groups


def build(graph, columns, files, app, info):
    """Return a UI workflow.

    Args:
        graph: {title: (type, {input: value, or (title, output number)})}, or the text of a note.
        columns: where the nodes stand.
        files: {title: the Model that this node loads}.
        app: ([(title, widget)], [titles]): what App mode shows and what it makes; or None.
    """
    ids = {title: number for number, title in enumerate(graph, start=1)}
    places, groups = places_of(columns, graph)
    links, nodes = [], []
    for title, described in graph.items():
        x, y, width, height = places[title]
        common = {"id": ids[title], "title": title, "pos": [x, y], "size": [width, height]}
        common |= {"flags": {}, "order": ids[title] - 1, "mode": 0}
        if isinstance(described, str):
            note = {"type": "MarkdownNote", "inputs": [], "outputs": [], "properties": {}}
            note |= {"widgets_values": [described], "color": "#222", "bgcolor": "#000"}
            nodes.append(common | note)
            continue
        kind, given = described
        values, inputs = _filled(kind, given, title, graph, ids, links, info)
        if columns and height == 0:
            common |= {"flags": {"collapsed": True}, "size": [340, height_opened(kind)]}
        properties = {"Node name for S&R": kind}
        properties |= OURS if kind.startswith("HeadForcing") else CORE
        if kind.startswith("HeadForcing"):
            # else the page takes its height for that of all widgets in view
            common["showAdvanced"] = False
        if title in files:
            properties["models"] = [files[title]._asdict()]
        known = info[kind]
        nodes.append(
            common
            | {
                "type": kind,
                "inputs": inputs,
                "outputs": [
                    {"name": name, "type": type_, "links": []}
                    for name, type_ in zip(known["output_name"], known["output"], strict=True)
                ],
                "properties": properties,
                "widgets_values": values,
            }
        )
    for link, source, slot, *_ in links:
        nodes[source - 1]["outputs"][slot]["links"].append(link)
    extra = {"workflowRendererVersion": "LG"}
    if app is not None:
        shown, made = app
        shown = [[str(ids[title]), widget] for title, widget in shown]
        extra["linearData"] = {"inputs": shown, "outputs": [str(ids[title]) for title in made]}
    return {
        "last_node_id": len(nodes),
        "last_link_id": len(links),
        "nodes": nodes,
        "links": links,
        "groups": groups,
        "config": {},
        "extra": extra,
        "version": 0.4,
    }


def _filled(kind, given, title, graph, ids, links, info):
    """Return the values of a node's widgets, and its inputs, whose links are added."""
    values, inputs = [], []
    for name, spec in fields(info[kind]):
        value = given.get(name)
        linked = isinstance(value, tuple)
        if linked or not is_widget(spec):
            link = None
            if linked:
                source, slot = value
                type_ = info[graph[source][0]]["output"][slot]
                link = len(links) + 1
                links.append([link, ids[source], slot, ids[title], len(inputs), type_])
            entry = {"name": name, "type": _socket(spec), "link": link}
            inputs.append(entry | ({"widget": {"name": name}} if is_widget(spec) else {}))
        if is_widget(spec):
            shown = default_of(spec) if value is None or linked else value
            if spec[0] == "COMFY_DYNAMICCOMBO_V3":
                key = value if isinstance(value, str) else spec[1]["options"][0]["key"]
                values.append(key)
                for inner, inner_spec in nested(spec, key):
                    values.append(given.get(f"{name}.{inner}", default_of(inner_spec)))
                continue
            values.append(shown)
            if has_control(name, spec):
                values.append("fixed")
    return values, inputs


def _socket(spec):
    return "COMBO" if isinstance(spec[0], list) else spec[0]


def texts(known):
    """How many widgets need room for several lines."""
    return sum(len(spec) > 1 and bool(spec[1].get("multiline")) for _, spec in fields(known))


def has_control(name, spec):
    """Whether the page adds a widget that says what becomes of a seed."""
    options = spec[1] if len(spec) > 1 else {}
    return bool(options.get("control_after_generate")) or (
        name in ("seed", "noise_seed") and spec[0] == "INT"
    )


def as_prompt(workflow, info):
    """Return the API prompt of a UI workflow, and what is wrong with it."""
    links = {link[0]: (str(link[1]), link[2]) for link in workflow["links"]}
    prompt, problems = {}, []
    for node in workflow["nodes"]:
        known = info.get(node["type"])
        if node["type"] == "MarkdownNote":  # of the page alone
            continue
        if known is None:
            problems.append(f"unknown type {node['type']}")
            continue
        linked = {
            i["name"]: list(links[i["link"]]) for i in node["inputs"] if i["link"] is not None
        }
        left, inputs = list(node["widgets_values"]), {}
        for name, spec in fields(known):
            if is_widget(spec):
                if not left:  # saved by an older host: the page gives a new widget its default
                    if name in known["input"].get("required", {}) and default_of(spec) is None:
                        problems.append(f"{node['type']}: no value for {name}")
                    continue
                inputs[name] = left.pop(0)
                if spec[0] == "COMFY_DYNAMICCOMBO_V3":
                    for inner, _ in nested(spec, inputs[name]):
                        inputs[f"{name}.{inner}"] = left.pop(0)
                if has_control(name, spec):
                    left.pop(0)
            if name in linked:
                inputs[name] = linked[name]
            elif not is_widget(spec) and name in known["input"].get("required", {}):
                problems.append(f"{node['type']}: {name} is not connected")
        if left:
            problems.append(f"{node['type']}: {len(left)} values too many")
        prompt[str(node["id"])] = {"class_type": node["type"], "inputs": inputs}
    return prompt, problems
