"""Every workflow in the host's page, before and after a run: where its nodes and groups are.

check_layout.py HOST URL WORKFLOWS FOLDER RENDERER
"""
# ruff: noqa: T201

import json
import sys
from pathlib import Path

from browser_page import Page, browsing

URL, WORKFLOWS, FOLDER, RENDERER = sys.argv[2], Path(sys.argv[3]), Path(sys.argv[4]), sys.argv[5]
# left, top, right, bottom of what is seen of nodes, and of groups, in the graph's own pixels
BOXES = """() => {
  const {scale, offset} = app.canvas.ds, page = app.canvas.canvas.getBoundingClientRect();
  const placed = element => {
    const {left, top, right, bottom} = element.getBoundingClientRect();
    return [left - page.left, top - page.top, right - page.left, bottom - page.top]
      .map((x, n) => x / scale - offset[n % 2]);
  };
  const corners = ([x, y, width, height]) => [x, y, x + width, y + height];
  const around = boxes => [0, 1, 2, 3].map(
    n => Math[n < 2 ? "min" : "max"](...boxes.map(box => box[n])));
  const seen = element => element.checkVisibility() && element.getBoundingClientRect().height > 0;
  const boxOf = node => {
    const drawn = document.querySelector(`[data-node-id="${node.id}"]`);
    const parts = drawn ? [drawn, ...drawn.querySelectorAll("button, video, img, textarea")]
      : (node.widgets ?? []).map(widget => widget.element).filter(Boolean);
    const boxes = parts.filter(seen).map(placed);
    if (!drawn) boxes.push(corners(Array.from(node.getBounding())));
    return around(boxes);
  };
  return {
    nodes: Object.fromEntries(app.graph._nodes.map(node => [node.title, boxOf(node)])),
    groups: Object.fromEntries(app.graph._groups.map(
      group => [group.title, corners(Array.from(group._bounding ?? group.bounding))])),
    videos: document.querySelectorAll("video").length,
    drawn: document.querySelectorAll("[data-node-id]").length,
  };
}"""
LOAD = "async graph => { await app.loadGraphData(graph); }"
# what a run must not wait for: a video longer than its prompts, and weights that are not there
SHORT, SIZE = 8.0, (80, 48)


def runnable(workflow):
    """Return a graph of the same nodes that any host can run, soon."""
    kinds = {node["type"] for node in workflow["nodes"]}
    published, timed = "CLIPLoader" in kinds, "HeadForcingPromptSchedule" in kinds
    for node in workflow["nodes"]:
        values = node.get("widgets_values", [])
        if node["type"] == "CLIPLoader":
            node["type"], node["widgets_values"] = "StubClip", ["x"]
            node["inputs"] = []
        if node["type"] == "PrimitiveFloat":
            values[0] = 9.0
        if node["type"] == "HeadForcingSampler":
            values[2] = values[2] if timed else min(values[2], SHORT)
            values[3:5] = SIZE if published else values[3:5]
        if node["type"] == "HeadForcingProfileHeads" and published:
            at = values.index(832)
            values[at : at + 2] = SIZE
    return workflow


def look(browser, path):
    """Load a workflow as it is, then run it; return what was seen of it each time."""
    page = Page(browser.new_page(), URL, RENDERER, FOLDER)
    workflow = json.loads(path.read_text("utf-8"))

    def shown(name):
        page.page.wait_for_timeout(3000)
        page.page.keyboard.press(".")
        page.page.wait_for_timeout(1000)
        page.picture(f"{path.stem}_{name}")
        return page.page.evaluate(BOXES)

    page.page.evaluate(LOAD, workflow)
    found = {"opened": shown("opened")}
    page.page.evaluate(LOAD, runnable(workflow))
    page.page.wait_for_timeout(1000)
    page.press_run()
    found["ended"] = page.ended(1)
    found["run"] = shown("run")
    found["errors"] = page.errors
    page.page.close()
    return found


def main():
    with browsing(URL, RENDERER, 1920, 1200) as browser:
        found = {path.stem: look(browser, path) for path in sorted(WORKFLOWS.glob("*.json"))}
    print("FOUND", json.dumps(found))


main()
