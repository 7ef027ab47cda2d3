"""The host's page in a real browser, for check scripts; runs in the host's own python.

Where a page is newer or older than another, what it calls things differs; that is known here.
"""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import BrowserContext, sync_playwright

ELEMENTS = "Comfy.VueNodes.Enabled"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
RUN = "[data-testid=queue-button]"
METHOD, SAMPLER = "HeadForcingCacheMethod", "HeadForcingSampler"
SCHEDULE = "HeadForcingPromptSchedule"
# of a line in the console that is no fault of this pack: what the host itself does not find
NOT_OURS = ("Failed to load resource", "Content Security Policy", "Fetch API cannot load")
# v0.8.0's page, when a run tells of itself before the page that was loaded anew has its canvas
TOO_EARLY = "getCanvas: canvas is null"
WATCH = """() => {
  window.seen = {ended: [], previews: 0, said: [], progress: 0};
  for (const kind of ["execution_success", "execution_error", "execution_interrupted"])
    app.api.addEventListener(kind, event => seen.ended.push([kind, event.detail]));
  app.api.addEventListener("b_preview_with_metadata", () => seen.previews++);
  app.api.addEventListener("progress_text", event => seen.said.push(event.detail.text));
  app.api.addEventListener("progress_state", () => seen.progress++);
}"""
DROP = """text => {
  const data = new DataTransfer();
  data.items.add(new File([text], "workflow.json", {type: "application/json"}));
  const at = {dataTransfer: data, bubbles: true, cancelable: true, clientX: 400, clientY: 300};
  document.querySelector("#graph-canvas, canvas").dispatchEvent(new DragEvent("drop", at));
}"""
SET = """([kind, name, value, which]) => {
  const node = app.graph._nodes.filter(node => node.type === kind)[which];
  const widget = node.widgets.find(widget => widget.name === name);
  widget.value = value;
  widget.callback?.(value, app.canvas, node);
}"""
ADD = """([kind, at, values]) => {
  const node = LiteGraph.createNode(kind);
  node.pos = [at, 60];
  app.graph.add(node);
  for (const [name, value] of Object.entries(values))
    node.widgets.find(widget => widget.name === name).value = value;
  return node.id;
}"""
LINK = """([from, slot, to, input]) => {
  const node = app.graph.getNodeById(to);
  const at = node.inputs.findIndex(one => one.name === input);
  app.graph.getNodeById(from).connect(slot, node, at);
}"""
# what every node of a kind shows; panels and buttons are no settings
SETTINGS = """kind => app.graph._nodes.filter(node => node.type === kind).map(
  node => Object.fromEntries(node.widgets.filter(widget => widget.serialize !== false)
    .map(widget => [widget.name, widget.value])))"""


@contextmanager
def browsing(url: str, renderer: str, width=2600, height=1400) -> Iterator[BrowserContext]:
    """A browser on a host whose page draws nodes as ``renderer`` says: canvas or elements."""
    with sync_playwright() as started:
        program = next(filter(None, map(shutil.which, BROWSERS)))
        chromium = started.chromium.launch(executable_path=program, args=["--no-sandbox"])
        browser = chromium.new_context(viewport={"width": width, "height": height})
        # else the first visit shows templates over the graph
        browser.request.post(f"{url}/api/settings/Comfy.TutorialCompleted", data="true")
        chosen = json.dumps(renderer == "elements")
        browser.request.post(f"{url}/api/settings/{ELEMENTS}", data=chosen)
        browser.request.post(f"{url}/api/settings/Comfy.Locale", data=json.dumps("en"))
        yield browser
        chromium.close()


class Page:
    """A page of the host.

    Args:
        page: a new one of a browser.
        url: of the host.
        renderer: how it draws nodes.
        folder: pictures of it go there.
    """

    def __init__(self, page, url: str, renderer: str, folder: Path):
        self.page, self.renderer, self.folder = page, renderer, folder
        self.errors: list[str] = []
        page.on("pageerror", self._thrown)
        page.on("console", self._heard)
        page.goto(url)
        page.wait_for_function("() => window.app && app.graph && app.extensionManager")
        page.wait_for_timeout(1500)
        page.evaluate(WATCH)

    def _thrown(self, error):
        if TOO_EARLY not in str(error):
            self.errors.append(error.stack or str(error))

    def _heard(self, message):
        ours = message.location.get("url", "").find("/extensions/Head-Forcing/") >= 0
        said = message.text
        if message.type == "error" and ours and not any(x in said for x in NOT_OURS):
            self.errors.append(said)

    def drop(self, workflow):
        self.page.evaluate(DROP, workflow.read_text("utf-8"))
        self.page.wait_for_function(
            f"() => app.graph._nodes.some(node => node.type === '{SAMPLER}')"
        )
        self.page.wait_for_timeout(500)

    def press_run(self):
        # in newer pages the button itself has the name, in older ones what it is in
        self.page.locator(f"button{RUN}, {RUN} button").first.click()

    def press_stop(self):
        self.page.get_by_role("button", name="Stop here").first.click()

    def ended(self, number):
        """Wait until so many runs have ended; return how the last one did."""
        self.page.wait_for_function(f"() => seen.ended.length >= {number}", timeout=120_000)
        kind, detail = self.page.evaluate("() => seen.ended.at(-1)")
        return kind, detail.get("exception_message", "")

    def add(self, kind, at, **values):
        """Add a node, so far to the right, with some of its widgets set; return its id."""
        return self.page.evaluate(ADD, [kind, at, values])

    def link(self, *ends):
        """Connect a node's output to another one's input: id, slot, id, name."""
        self.page.evaluate(LINK, list(ends))

    def set(self, kind, widget, value, which=0):
        self.page.evaluate(SET, [kind, widget, value, which])

    def settings(self):
        return self.page.evaluate(SETTINGS, METHOD)

    def press(self, key):
        """Press a key; the page looks for changes that can be undone whenever one is."""
        self.page.keyboard.press(key)
        self.page.wait_for_timeout(1000)

    def picture(self, name):
        self.page.evaluate("() => app.canvas.setDirty(true, true)")
        self.page.wait_for_timeout(400)
        self.page.screenshot(path=self.folder / f"{name}.png")
