"""The head map on its three nodes in a real browser, as a person uses it.

check_head_map.py HOST URL FOLDER RENDERER
"""
# ruff: noqa: T201

import json
import sys
from pathlib import Path

from browser_page import Page, browsing

URL, FOLDER, RENDERER = sys.argv[2], Path(sys.argv[3]), sys.argv[4]
FILE = "published: pyramid_self_forcing.csv"
LOAD, EDIT, PROFILE = (f"HeadForcing{n}" for n in ("LoadHeadMap", "EditHeadMap", "ProfileHeads"))
# what a node's panel shows
SHOWN = """id => {
  const node = app.graph.getNodeById(id);
  const root = node.widgets.find(w => w.name === "head_map_view").element.shadowRoot;
  const text = part => {
    const one = root.querySelector(part);
    return one && !one.hidden ? one.textContent : null;
  };
  return {
    edits: node.widgets.find(w => w.name === "edits").value, note: text(".note"),
    said: text(".said"), pairs: text(".pairs"),
    kinds: [...root.querySelectorAll(".kinds button")].map(one => one.textContent),
  };
}"""
BOX = """id => {
  const element = app.graph.getNodeById(id).widgets.find(w => w.name === "head_map_view").element;
  const {x, y, width, height} = element.shadowRoot.querySelector("canvas").getBoundingClientRect();
  return [x, y, width / parseFloat(element.shadowRoot.querySelector("canvas").style.width)];
}"""
SENT = """async id => (await app.graphToPrompt()).output[id].inputs"""
GRID = """id => {
  const view = app.graph.getNodeById(id).widgets.find(w => w.name === "head_map_view");
  const said = view.element.shadowRoot.querySelector(".map").dataset;
  return [Number(said.cell), Number(said.tall)];
}"""
PRESS = """([id, kind]) => app.graph.getNodeById(id).widgets.find(w => w.name === "head_map_view")
  .element.shadowRoot.querySelectorAll(".kinds button")[kind].click()"""
FOCUS = """id => app.graph.getNodeById(id).widgets.find(w => w.name === "head_map_view")
  .element.shadowRoot.querySelector(".map").focus()"""
EDITS = """id => app.graph.getNodeById(id)?.widgets.find(w => w.name === "edits").value"""
RELOADED = """async graph => { await app.loadGraphData(graph); }"""


class Faces:
    """A page with head maps on it."""

    def __init__(self, page):
        self.page = page
        page.page.evaluate("() => app.graph.clear()")

    def undone(self, node):
        """Undo once; what a page still puts back when a key comes, it does not hear of."""
        before = self.page.page.evaluate(EDITS, node)
        self.page.press("Control+z")
        self.page.page.wait_for_function(
            f"([id, was]) => ({EDITS})(id) !== was", arg=[node, before]
        )
        return self.shown(node)

    def shown(self, node):
        self.page.page.wait_for_timeout(700)
        return self.page.page.evaluate(SHOWN, node)

    def at(self, node, layer, head, cell=12.0, tall=12.0):
        """Where on the page a cell of the first map is drawn."""
        x, y, scale = self.page.page.evaluate(BOX, node)
        return x + (22 + (head + 0.5) * cell) * scale, y + (28 + (layer + 0.5) * tall) * scale

    def drag(self, node, cells, **size):
        mouse = self.page.page.mouse
        mouse.move(*self.at(node, *cells[0], **size))
        mouse.down()
        for cell in cells[1:]:
            mouse.move(*self.at(node, *cell, **size))
        mouse.up()

    def run(self, number):
        self.page.press_run()
        return self.page.ended(number)


def loaded(page, found):
    """A published map, and what stands behind it, before anything has run."""
    faces = Faces(page)
    load = page.add(LOAD, 100, file=FILE)
    edit = page.add(EDIT, 560)
    found["nothing connected"] = faces.shown(edit)
    page.link(load, 0, edit, "head_map")
    page.page.evaluate("() => { app.canvas.ds.scale = 1; app.canvas.ds.offset = [0, 0]; }")
    found["loaded"] = faces.shown(load)
    page.press("F9")  # the page notes what is there
    page.picture("loaded")
    size = page.page.evaluate(GRID, load)
    page.page.mouse.move(*faces.at(load, 2, 3, *size))
    found["hovered"] = faces.shown(load)
    faces.drag(load, [(2, 3)], **dict(zip(("cell", "tall"), size, strict=True)))
    found["clicked"] = faces.shown(load)
    found["sent"] = page.page.evaluate(SENT, load)
    found["behind"] = faces.shown(edit)
    page.picture("edited")
    size = dict(zip(("cell", "tall"), page.page.evaluate(GRID, load), strict=True))
    page.page.evaluate(PRESS, [load, 2])
    faces.drag(load, [(5, 2), (5, 9)], **size)
    found["dragged"] = faces.shown(load)
    found["undone"] = faces.undone(load)
    found["undone again"] = faces.undone(load)
    page.page.evaluate(FOCUS, edit)
    for key in ("ArrowDown", "ArrowRight", "Enter"):
        page.page.keyboard.press(key)
    found["by keys"] = faces.shown(edit)
    page.page.keyboard.press("Delete")
    found["taken back"] = faces.shown(edit)
    page.set(EDIT, "edits", "0.0=hf.local")
    found["refused"] = faces.shown(edit)
    page.set(EDIT, "edits", "")
    second = page.add(LOAD, 1200, file="published: forcing_kv_self_forcing.json")
    page.link(second, 0, edit, "beside")
    found["another paper's"] = faces.shown(edit)
    page.picture("another")
    third = page.add(LOAD, 1600, file=FILE, edits="1.1=pyramid.veil, 2.2=pyramid.veil")
    page.link(third, 0, edit, "beside")
    found["two maps"] = faces.shown(edit)
    page.picture("two")


def measured(page, found):
    """The demo's heads, measured; edited, run again, and shown after a reload."""
    faces = Faces(page)
    model = page.add("HeadForcingLoadDemo", 0)
    words = page.add("CLIPTextEncode", 0, text="a red ball")
    heads = page.add(PROFILE, 400, width=64, height=64)
    picture = page.add("PreviewImage", 900)
    for ends in ((model, 0, heads, "model"), (model, 1, words, "clip"),
                 (words, 0, heads, "prompts"), (heads, 2, picture, "images")):  # fmt: skip
        page.link(*ends)
    found["before"] = faces.shown(heads)
    found["ran"] = faces.run(1)
    found["measured"] = faces.shown(heads)
    page.page.evaluate(FOCUS, heads)
    page.page.keyboard.press("Enter")
    found["edited"] = faces.shown(heads)
    page.picture("measured")
    found["ran edited"] = faces.run(2)
    found["ran again"] = faces.run(3)
    found["after"] = faces.shown(heads)
    graph = page.page.evaluate("() => app.graph.serialize()")
    page.page.reload()
    page.page.wait_for_function("() => window.app && app.graph && app.extensionManager")
    page.page.wait_for_timeout(1500)
    page.page.evaluate(RELOADED, graph)
    found["reloaded"] = faces.shown(heads)
    page.set(PROFILE, "scheme", "pyramid")
    found["changed"] = faces.shown(heads)
    page.picture("changed")


def main():
    found = {}
    with browsing(URL, RENDERER, 2000, 1100) as browser:
        page = Page(browser.new_page(), URL, RENDERER, FOLDER)
        loaded(page, found)
        measured(page, found)
        found["errors"] = page.errors
    print("FOUND " + json.dumps(found))


main()
