"""Workflows as the host's page saves them: built from a short description, and read back."""

WIDGETS = {"INT", "FLOAT", "STRING", "BOOLEAN", "COMBO", "COMFY_DYNAMICCOMBO_V3"}
WIDE, HIGH = 420, 110


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
    return options.get("default", choices[0])


def nested(spec, key):
    """Return [(name, spec)] of the widgets that a choice of a dynamic combo has."""
    (option,) = (o for o in spec[1]["options"] if o["key"] == key)
    inputs = option["inputs"]
    return [*inputs.get("required", {}).items(), *inputs.get("optional", {}).items()]


def build(graph, info):
    """Return a UI workflow.

    Args:
        graph: {title: (type, {input: value, or (title, output number)}, (column, row))}.
    """
    ids = {title: number for number, title in enumerate(graph, start=1)}
    links, nodes = [], []
    for title, (kind, given, place) in graph.items():
        known, values, inputs = info[kind], [], []
        for name, spec in fields(known):
            value = given.get(name)
            linked = isinstance(value, tuple)
            if linked or not is_widget(spec):
                link = None
                if linked:
                    source, slot = value
                    type_ = info[graph[source][0]]["output"][slot]
                    link = len(links) + 1
                    links.append([link, ids[source], slot, ids[title], len(inputs), type_])
                entry = {"name": name, "type": spec[0], "link": link}
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
        column, row = place
        nodes.append(
            {
                "id": ids[title],
                "type": kind,
                "title": title,
                "pos": [40 + column * WIDE, 60 + row * HIGH],
                "size": [360, 90 + 26 * len(values) + 70 * texts(known)],
                "flags": {},
                "order": ids[title] - 1,
                "mode": 0,
                "inputs": inputs,
                "outputs": [
                    {"name": name, "type": type_, "links": []}
                    for name, type_ in zip(known["output_name"], known["output"], strict=True)
                ],
                "properties": {"Node name for S&R": kind},
                "widgets_values": values,
            }
        )
    for link, source, slot, *_ in links:
        nodes[source - 1]["outputs"][slot]["links"].append(link)
    return {
        "last_node_id": len(nodes),
        "last_link_id": len(links),
        "nodes": nodes,
        "links": links,
        "groups": [],
        "config": {},
        "extra": {},
        "version": 0.4,
    }


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
