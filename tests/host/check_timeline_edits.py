"""Every edit of the timeline of Prompt Schedule in the host's page, and the step back from it.

check_timeline_edits.py HOST URL WORKFLOW FOLDER RENDERER
"""
# ruff: noqa: T201

import json
import sys
import time
from pathlib import Path

from browser_page import SAMPLER, SCHEDULE, Page, browsing

URL, WORKFLOW, FOLDER, RENDERER = sys.argv[2], Path(sys.argv[3]), Path(sys.argv[4]), sys.argv[5]
# Prompt Schedules of the graph that is open, in the order in which they were made
NODES = f"""app.canvas.graph._nodes.filter(node => node.type === "{SCHEDULE}")"""
ROOT = f"""{NODES}[which].widgets.find(one => one.name === "prompt_timeline").element"""
SHOWN = f"""which => {{
  const element = {ROOT}, root = element.shadowRoot, active = root.activeElement;
  const bars = [...root.querySelectorAll(".bar")];
  const text = name => root.querySelector(name).textContent;
  return {{
    text: {NODES}[which].widgets.find(one => one.name === "text").value,
    bars: bars.map(bar => bar.ariaLabel), note: text(".note"), said: text(".said"),
    chosen: bars.findIndex(bar => bar.ariaSelected === "true"),
    held: active?.dataset.n ?? active?.textContent ?? null,
    typing: document.activeElement === element.querySelector("textarea"),
    locked: [...root.querySelectorAll(".tools button")].every(one => one.disabled),
    field: element.querySelector("textarea").value,
    read: element.querySelector("textarea").readOnly,
    there: element.isConnected && element.getBoundingClientRect().width > 0,
  }};
}}"""
COUNTED = f"([which, n]) => {ROOT}.shadowRoot.querySelectorAll('.bar').length === n"
IN_SIGHT = """bar => {
  const at = bar.getBoundingClientRect();
  const all = bar.getRootNode().querySelector(".scroll").getBoundingClientRect();
  return at.left >= all.left - 1 && at.right <= all.right + 1;
}"""
PANEL = "[data-panel=prompt_timeline]"
CENTRE = "() => { app.canvas.ds.scale = 1; app.canvas.ds.offset = [300, -250]; }"
INSIDE = f"""() => {{
  const node = {NODES}[0];
  const {{subgraph, node: outside}} = app.graph.convertToSubgraph(new Set([node]));
  app.canvas.openSubgraph(subgraph, outside);
}}"""
LINK = f"""([kind, values]) => {{
  const node = {NODES}[0], from = LiteGraph.createNode(kind);
  from.pos = [-400, 500];
  app.graph.add(from);
  for (const [name, value] of Object.entries(values))
    from.widgets.find(widget => widget.name === name).value = value;
  if (!node.inputs.some(one => one.name === "text")) return false;
  from.connect(0, node, node.inputs.findIndex(one => one.name === "text"));
  return true;
}}"""
UNLINK = f"""() => {{
  const node = {NODES}[0], slot = node.inputs.findIndex(one => one.name === "text");
  const from = app.graph.getNodeById(app.graph.getLink(node.inputs[slot].link).origin_id);
  app.graph.remove(from);
}}"""
LISTED = [
    {"start": 0, "text": "a red ball", "end": 10},
    {"start": 10, "text": "a blue ball", "end": 20},
    {"start": 20, "text": "a green ball", "end": 30},
]


class Timelines:
    """The panels of a page; ``which`` of them is worked."""

    def __init__(self, page):
        self.page, self.which = page, 0

    def shown(self):
        self.page.page.wait_for_timeout(700)
        return self.page.page.evaluate(SHOWN, self.which)

    @property
    def panel(self):
        return self.page.page.locator(PANEL).nth(self.which)

    def press(self, button):
        self.panel.get_by_role("button", name=button).click()
        return self.shown()

    def bar(self, number):
        self.panel.locator(".bar").nth(number).click()

    def keys(self, *keys):
        for key in keys:
            self.page.page.keyboard.press(key)
            self.page.page.wait_for_timeout(400)
        return self.shown()

    def typed(self, words):
        """Write words in the field, and end with Enter."""
        self.panel.locator("textarea").fill(words)
        return self.keys("Enter")

    def dragged(self, number, to):
        """Drag a bar onto another one."""
        mouse, bars = self.page.page.mouse, self.panel.locator(".bar")
        (x, y), (x2, _) = (self.middle(bars.nth(n)) for n in (number, to))
        mouse.move(x, y)
        mouse.down()
        mouse.move(x2, y, steps=6)
        mouse.up()
        return self.shown()

    def middle(self, bar):
        box = bar.bounding_box()
        return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2

    def undone(self):
        self.page.press("Control+z")
        return self.shown()

    def write(self, text):
        self.page.set(SCHEDULE, "text", text)
        return self.shown()


def edited(timelines, found):
    """Every edit by pointer, each of them taken back with one step."""
    steps = {
        "add": lambda: timelines.press("Add"),
        "split": lambda: timelines.press("Split"),
        "delete": lambda: timelines.press("Delete"),
        "cut": lambda: timelines.press("Cut #"),
        "later": lambda: timelines.press("Later"),
        "earlier": lambda: timelines.press("Earlier"),
        "dragged": lambda: timelines.dragged(1, 2),
        "words": lambda: timelines.typed("a green ball"),
    }
    for name, step in steps.items():
        timelines.bar(1)
        before = timelines.shown()
        found[name] = [before, step(), timelines.undone()]
    timelines.bar(0)
    timelines.panel.locator("textarea").fill("a green ball")
    timelines.bar(1)
    found["left for a bar"] = timelines.shown()
    timelines.panel.locator("textarea").fill("a red ball")
    found["left for a button"] = [timelines.press("Split"), timelines.undone(), timelines.undone()]
    timelines.undone()
    timelines.bar(1)
    found["kept"] = [timelines.press("Cut #"), timelines.press("Cut #"), timelines.undone()]
    timelines.undone()


def by_keys(timelines, found):
    timelines.page.page.locator(f"{PANEL} .bar").first.focus()
    for name, keys in {
        "right": ["ArrowRight"], "end": ["End"], "home": ["Home"], "last": ["End"],
        "moved": ["Shift+ArrowRight"], "earlier": ["Alt+ArrowLeft"], "split": ["s"], "new": ["n"],
        "cut": ["c"], "deleted": ["Delete"], "field": ["Enter"], "left": ["x", "Escape"],
    }.items():  # fmt: skip
        found[f"key {name}"] = timelines.keys(*keys)
    # a button that can be pressed no more
    timelines.write("a red ball | a blue ball")
    timelines.bar(0)
    timelines.panel.get_by_role("button", name="Later").focus()
    found["key exhausted"] = timelines.keys("Enter")


def as_json(timelines, found):
    timelines.write(json.dumps(LISTED))
    timelines.bar(1)
    found["json"] = {
        "cut": timelines.press("Cut #"), "words": timelines.typed("a [0:3] | green\nball"),
        "split": timelines.press("Split"), "moved": timelines.dragged(0, 1),
    }  # fmt: skip


def linked(timelines, found):
    page = timelines.page.page
    timelines.write("[0:10] a red ball\n[10:20] a blue ball")
    page.evaluate(LINK, ["PrimitiveStringMultiline", {"value": "a red ball | a green ball"}])
    found["linked"] = timelines.shown()
    timelines.bar(1)
    found["linked, pressed"] = timelines.keys("Delete")
    page.evaluate(UNLINK)
    found["free"] = timelines.shown()
    page.evaluate(LINK, ["StringConcatenate", {"string_a": "a red ball", "string_b": "x"}])
    found["computed"] = timelines.shown()
    page.evaluate(UNLINK)


def copied(timelines, found):
    page = timelines.page.page
    page.evaluate(f"() => app.canvas.selectItems([{NODES}[0]])")
    page.locator("#graph-canvas").first.focus()
    page.mouse.move(1400, 300)
    page.keyboard.press("Control+c")
    page.wait_for_timeout(500)
    page.keyboard.press("Control+v")
    page.wait_for_function(f"() => {NODES}.length === 2")
    page.wait_for_timeout(500)
    page.evaluate("() => { const [one, two] = " + NODES + "; two.pos = [one.pos[0], 900]; }")
    page.evaluate("() => { app.canvas.ds.offset = [300, -650]; app.canvas.setDirty(true, true); }")
    timelines.which = 1
    found["copy"] = timelines.shown()
    timelines.bar(0)
    found["copy, cut"] = timelines.press("Split")
    timelines.which = 0
    found["its original"] = timelines.shown()
    page.evaluate(f"() => app.graph.remove({NODES}[1])")


def many(timelines, found):
    """Fifty prompts in five minutes."""
    page = timelines.page
    page.page.evaluate(CENTRE)
    page.set(SAMPLER, "seconds", 300)
    timelines.write("a red ball")
    text = "\n".join(f"[{6 * n}:{6 * n + 6}] a ball of colour {n}" for n in range(50))
    begun = time.monotonic()
    page.set(SCHEDULE, "text", text)
    page.page.wait_for_function(COUNTED, arg=[0, 50], polling=20)
    drawn = time.monotonic() - begun
    first = timelines.shown()
    timelines.panel.locator(".bar").first.focus()
    begun = time.monotonic()
    for _ in range(20):
        page.page.keyboard.press("ArrowRight")
    walked = (time.monotonic() - begun) / 20
    begun = time.monotonic()
    page.page.keyboard.press("s")
    page.page.wait_for_function(COUNTED, arg=[0, 51], polling=20)
    split = time.monotonic() - begun
    bars = timelines.panel.locator(".bar")
    found["many"] = {
        "first": first, "split": timelines.shown(), "drawn": drawn, "walked": walked, "took": split,
        "widths": bars.evaluate_all("all => all.map(x => x.offsetWidth)"),
        "seen": bars.nth(21).evaluate(IN_SIGHT),
    }  # fmt: skip
    page.picture("many")
    page.set(SAMPLER, "seconds", 30)


def inside(timelines, found):
    """The node in a subgraph, whose sampler is outside."""
    page = timelines.page.page
    timelines.write("[0:10] a red ball\n[10:20] a blue ball")
    page.evaluate(INSIDE)
    page.wait_for_timeout(1500)
    page.evaluate(f"() => {{ {NODES}[0].pos = [0, 300]; }}")
    page.evaluate(CENTRE)
    found["inside"] = timelines.shown()
    timelines.bar(1)
    found["inside, cut"] = timelines.press("Cut #")
    found["inside, undone"] = timelines.undone()
    timelines.page.picture("inside")


def main():
    found = {}
    with browsing(URL, RENDERER, 1920, 1000) as browser:
        page = Page(browser.new_page(), URL, RENDERER, FOLDER)
        page.drop(WORKFLOW)
        page.page.evaluate(CENTRE)
        timelines = Timelines(page)
        found["first"] = timelines.shown()
        page.picture("first")
        for step in (edited, by_keys, as_json, linked, copied, many, inside):
            step(timelines, found)
        found["errors"] = page.errors
    print("FOUND", json.dumps(found))


main()
