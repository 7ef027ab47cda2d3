"""Cache Method's drawing and the fold of widgets in a real browser, as a person uses them.

check_method_face.py HOST URL FOLDER RENDERER
"""
# ruff: noqa: T201

import json
import sys
from pathlib import Path

from browser_page import METHOD, SAMPLER, Page, browsing

URL, FOLDER, RENDERER = sys.argv[2], Path(sys.argv[3]), sys.argv[4]
LINE, PANEL = "head_forcing_fold", "head_forcing_reading"
# the drawing of a node: what is said of each type of head, how many boxes it has, bytes, and
# whether some of it is cut
SHOWN = """([id, panel]) => {
  const widget = app.graph.getNodeById(id)?.widgets.find(w => w.name === panel);
  const all = widget?.element.shadowRoot.querySelector(".all");
  const rows = [...(all?.querySelectorAll(".row") ?? [])];
  const wide = one => one.scrollWidth > one.clientWidth + 1;
  return {
    rows: rows.map(row => row.querySelector(".parts").textContent),
    boxes: rows.map(row => row.querySelectorAll("rect").length),
    bytes: Number(all?.querySelector("[data-bytes]")?.dataset.bytes ?? 0),
    wrong: [...(all?.querySelectorAll(".wrong") ?? [])].map(one => one.textContent),
    there: widget?.element.isConnected ?? false,
    spare: widget?.element.clientHeight - (all?.lastElementChild?.getBoundingClientRect().bottom
      - all?.getBoundingClientRect().top) * all?.clientHeight / all?.getBoundingClientRect().height,
    cut: all ? [all.scrollHeight > all.clientHeight + 1,
      [all, ...all.querySelectorAll("div, p, span")].some(wide)] : null,
  };
}"""
# a node's widgets that can be seen, its line, and its size
RANKS = """([id, line]) => {
  const node = app.graph.getNodeById(id), drawn = document.querySelector(`[data-node-id="${id}"]`);
  const label = node.widgets.find(w => w.name === line)?.label ?? null;
  const labels = drawn && [...drawn.querySelectorAll("[data-testid=widget-layout-field-label]")]
    .map(one => one.textContent.trim());
  const seen = node.widgets.filter(w => !w.hidden && w.name !== line && w.serialize !== false);
  return {
    line: label, seen: seen.map(w => w.name), labels, open: node.showAdvanced === true,
    height: drawn ? drawn.offsetHeight : node.size[1],
    least: drawn ? null : node.computeSize()[1], width: node.size[0],
    values: Object.fromEntries(node.widgets.filter(w => w.serialize !== false)
      .map(w => [w.name, w.value])),
  };
}"""
SENT = "async () => (await app.graphToPrompt()).output"
# where on the page a node's line is drawn
PLACE = """([id, line]) => {
  const node = app.graph.getNodeById(id), {ds, canvas} = app.canvas;
  const widget = node.widgets.find(w => w.name === line);
  if (!widget) return null;
  const at = widget.last_y + 10;
  const box = canvas.getBoundingClientRect();
  return [box.left + (node.pos[0] + node.size[0] / 2 + ds.offset[0]) * ds.scale,
    box.top + (node.pos[1] + at + ds.offset[1]) * ds.scale];
}"""
VIEW = "() => { app.canvas.ds.scale = 0.7; app.canvas.ds.offset = [60, 60]; }"
NARROW = "id => { const node = app.graph.getNodeById(id); node.setSize([210, node.size[1]]); }"
# whether the page folds elements by itself
FOLDS = "() => app.extensionManager.setting.get('Comfy.Node.AlwaysShowAdvancedWidgets') != null"
GRAPH = "() => JSON.parse(JSON.stringify(app.graph.serialize()))"
NOTED = "() => { app.canvas.emitBeforeChange(); app.canvas.emitAfterChange(); }"
LOAD = "async graph => { await app.loadGraphData(graph); }"


class Faces:
    """A page with a method, a sampler, and the demo's model."""

    def __init__(self, page, found):
        self.page, self.found = page, found
        page.page.evaluate("() => app.graph.clear()")
        page.page.evaluate(VIEW)
        self.method = page.add(METHOD, 60)

    def shown(self, name):
        self.page.page.wait_for_timeout(1200)
        self.found[name] = self.page.page.evaluate(SHOWN, [self.method, PANEL])

    def ranks(self, name, node):
        self.page.page.wait_for_timeout(700)
        self.page.page.evaluate("() => app.canvas.setDirty(true, true)")
        self.page.page.wait_for_timeout(300)
        self.found[name] = self.page.page.evaluate(RANKS, [node, LINE])

    def toggle(self, node):
        """Press what folds and unfolds: our line on the canvas, the page's button of an element.

        An older host, and an older page's elements, have neither.
        """
        self.page.page.evaluate(VIEW)
        self.page.page.wait_for_timeout(300)
        if RENDERER == "canvas":
            place = self.page.page.evaluate(PLACE, [node, LINE])
            if place is not None:
                self.page.page.mouse.click(*place)
            return
        drawn = self.page.page.locator(f'[data-node-id="{node}"]')
        button = drawn.locator("[data-testid=advanced-inputs-button]")
        if button.count():
            button.click()

    def sent(self, name):
        self.found[name] = self.page.page.evaluate(SENT)


def drawn(page, faces):
    """The drawing by itself, changed, with a model, of another size, and after an undo."""
    faces.shown("alone")
    page.page.evaluate(NARROW, faces.method)
    faces.shown("narrow")
    page.picture("narrow")
    page.set(METHOD, "method.memory_recent", 4)
    faces.shown("changed")
    page.set(METHOD, "method.memory_recent", 9)
    page.page.evaluate(NARROW.replace("210", "360"), faces.method)
    model = page.add("HeadForcingLoadDemo", 1300)
    words = page.add("CLIPTextEncode", 1300, text="a red ball")
    sampler = page.add(SAMPLER, 620, seconds=10, width=64, height=64, seed=1)
    for ends in ((model, 0, sampler, "model"), (model, 1, words, "clip"),
                 (words, 0, sampler, "prompts"), (faces.method, 0, sampler, "method")):  # fmt: skip
        page.link(*ends)
    faces.shown("connected")
    page.picture("connected")
    page.set(SAMPLER, "width", 96)
    faces.shown("wider")
    page.set(SAMPLER, "width", 64)
    # a person's edit ends with this; of a script's, not every page hears by itself
    page.page.evaluate(NOTED)
    page.set(METHOD, "method.episodes_count", 2)
    page.page.evaluate(NOTED)
    faces.shown("two episodes")
    page.press("Control+z")
    faces.shown("undone")
    page.set(METHOD, "method", "memrope")
    faces.shown("memrope")
    page.picture("memrope")
    page.set(METHOD, "method", "krea")
    faces.shown("undrawn")
    page.set(METHOD, "method", "head_forcing")
    faces.shown("again")
    return sampler


def folded(page, faces, sampler):
    """What is folded, counted, unfolded by hand, loaded, and what is sent of it."""
    faces.ranks("method", faces.method)
    faces.ranks("sampler", sampler)
    page.set(METHOD, "method.warm_up", 2)
    page.set(SAMPLER, "fps", 24)
    page.set(SAMPLER, "quality", 20)
    faces.ranks("method changed", faces.method)
    faces.ranks("sampler changed", sampler)
    page.picture("folded")
    faces.sent("sent folded")
    for node in (faces.method, sampler):
        faces.toggle(node)
    faces.ranks("method open", faces.method)
    faces.ranks("sampler open", sampler)
    faces.shown("open")
    page.picture("open")
    faces.sent("sent open")
    opened = page.page.evaluate(GRAPH)
    page.page.evaluate(LOAD, opened)
    faces.ranks("sampler loaded open", sampler)
    faces.toggle(sampler)
    faces.ranks("sampler closed", sampler)
    # as a version without ranks saved it
    for node in opened["nodes"]:
        node.pop("showAdvanced", None)
        node.pop("widgets_values_named", None)
    page.page.evaluate(LOAD, opened)
    faces.ranks("method of old", faces.method)
    faces.ranks("sampler of old", sampler)
    faces.sent("sent of old")
    page.picture("of_old")
    page.set(METHOD, "method", "rolling")
    faces.ranks("nothing to fold", faces.method)


def main():
    found = {}
    with browsing(URL, RENDERER, 2000, 1300) as browser:
        page = Page(browser.new_page(), URL, RENDERER, FOLDER)
        faces = Faces(page, found)
        folded(page, faces, drawn(page, faces))
        found["folds"] = page.page.evaluate(FOLDS)
        found["errors"] = page.errors
    print("FOUND " + json.dumps(found))


main()
