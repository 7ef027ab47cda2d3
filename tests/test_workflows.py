"""Workflows that ship, as files: what a page needs to show them and to offer what is missing."""

import json
import re
from itertools import combinations
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
WORKFLOWS = sorted((ROOT / "workflows").glob("*.json"))
# a page fits a graph into three quarters of its window; below this scale it leaves out the words
WINDOWS = ((1920, 1080), (1280, 720))
READABLE = 0.572
TITLE = 30
# what pages download, and from where
SUFFIXES = (".safetensors", ".sft", ".ckpt", ".pth", ".pt")
SOURCE = re.compile(r"https://(huggingface\.co|civitai\.com)/\S+")

every_workflow = pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)


def read(path):
    workflow = json.loads(path.read_text())
    return workflow, {node["id"]: node for node in workflow["nodes"]}


def box(node):
    """Left, top, right, bottom; of a closed node as wide as any page draws it."""
    x, y = node["pos"]
    width, height = (225, 0) if node["flags"].get("collapsed") else node["size"]
    return x, y - TITLE, x + width, y + height


@every_workflow
def test_it_is_readable_when_it_opens(path):
    workflow, _ = read(path)
    boxes = [box(node) for node in workflow["nodes"]]
    width = max(b[2] for b in boxes) - min(b[0] for b in boxes)
    height = max(b[3] for b in boxes) - min(b[1] for b in boxes)
    for window in WINDOWS:
        assert min(0.75 * window[0] / width, 0.75 * window[1] / height) >= READABLE
    assert "ds" not in workflow["extra"]  # else a page would not fit it


@every_workflow
def test_nothing_lies_on_something_else_and_links_run_forward(path):
    workflow, nodes = read(path)
    for one, other in combinations(map(box, workflow["nodes"]), 2):
        apart = one[2] <= other[0] or other[2] <= one[0] or one[3] <= other[1] or other[3] <= one[1]
        assert apart, (one, other)
    for _, source, _, target, *_ in workflow["links"]:
        assert nodes[source]["pos"][0] < nodes[target]["pos"][0]
    for node in workflow["nodes"]:
        x, y, right, bottom = box(node)
        inside = [
            g for g in workflow["groups"]
            if g["bounding"][0] <= x and right <= g["bounding"][0] + g["bounding"][2]
            and g["bounding"][1] <= y and bottom <= g["bounding"][1] + g["bounding"][3]
        ]  # fmt: skip
        assert len(inside) == 1, node["title"]


@every_workflow
def test_it_says_what_it_needs_and_what_everything_is(path):
    workflow, _ = read(path)
    titles = [node["title"] for node in workflow["nodes"]]
    assert len(set(titles)) == len(titles)
    (note,) = (node for node in workflow["nodes"] if node["type"] == "MarkdownNote")
    (text,) = note["widgets_values"]
    assert "**Needs**" in text and re.search(r"\*\*(Change|put your own)", text)
    for node in workflow["nodes"]:
        if node is not note:
            properties = node["properties"]
            ours = node["type"].startswith("HeadForcing")
            assert properties["cnr_id"] == ("headforcing" if ours else "comfy-core")
            assert re.fullmatch(r"\d+\.\d+\.\d+", properties["ver"])
            assert properties["Node name for S&R"] == node["type"]


@every_workflow
def test_a_page_can_offer_every_file_that_may_be_missing(path):
    workflow, _ = read(path)
    (note,) = (node for node in workflow["nodes"] if node["type"] == "MarkdownNote")
    for node in workflow["nodes"]:
        files = [v for v in node["widgets_values"] if str(v).endswith(SUFFIXES)]
        models = node["properties"].get("models", [])
        assert [model["name"] for model in models] == files
        for model in models:
            assert set(model) == {"name", "url", "directory"}
            assert SOURCE.fullmatch(model["url"]) and model["url"].endswith(model["name"])
            assert model["url"] in note["widgets_values"][0]


def test_two_can_be_used_as_apps():
    apps = {}
    for path in WORKFLOWS:
        workflow, nodes = read(path)
        data = workflow["extra"].get("linearData")
        assert "linearMode" not in workflow["extra"]  # an old page would open a view of its own
        if data:
            shown = [(nodes[int(number)]["type"], name) for number, name in data["inputs"]]
            made = [nodes[int(number)]["type"] for number in data["outputs"]]
            apps[path.stem] = (shown, made)
    assert set(apps) == {"demo_without_downloads", "self_forcing_one_minute"}
    for shown, made in apps.values():
        assert made == ["HeadForcingSampler"]
        assert {name for _, name in shown} == {"text", "seconds", "seed"}


def test_the_comparison_shows_numbers():
    _, nodes = read(ROOT / "workflows" / "compare_methods.json")
    assert [n["type"] for n in nodes.values()].count("HeadForcingMeasureDrift") == 3
