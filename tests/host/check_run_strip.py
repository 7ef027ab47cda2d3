"""A run in the host's page: watched, scrubbed, reloaded, stopped, steered.

check_run_strip.py HOST URL WORKFLOW FOLDER RENDERER
"""
# ruff: noqa: T201

import json
import sys
from pathlib import Path

from browser_page import SAMPLER, SCHEDULE, SETTINGS, WATCH, Page, browsing

URL, WORKFLOW, FOLDER, RENDERER = sys.argv[2], Path(sys.argv[3]), Path(sys.argv[4]), sys.argv[5]
# of videos that no other check on this host makes
SEED = {"canvas": 200, "elements": 300}[RENDERER]
PANEL = f"""(() => {{
  const node = app.graph._nodes.find(node => node.type === '{SAMPLER}');
  return node.widgets.find(widget => widget.name === 'head_forcing_run');
}})()"""
LIVE = "a blue square moving fast on plain grey"
# what the panel says
SAYS = f"""() => {{
  const widget = {PANEL}, root = widget.element.shadowRoot, said = name =>
    root.querySelector(name)?.textContent ?? null;
  return {{
    state: said('.state'), facts: said('.facts'), about: said('.about'),
    lights: [...root.querySelectorAll('.light')].map(one => [one.className, one.textContent]),
    tiles: root.querySelectorAll('.tile img').length,
    kept: root.querySelectorAll('.tile.kept').length,
    strip: Object.fromEntries([...root.querySelector('.strip').attributes].map(
      one => [one.name, one.value])),
    height: widget.element.getBoundingClientRect().height,
    hidden: root.querySelector('.strip').hidden,
    large: root.querySelector('.frame img')?.naturalWidth ?? 0,
  }};
}}"""
STATE = f"what => {PANEL}?.element.shadowRoot.querySelector('.state').textContent.includes(what)"


def until(page, what, seconds=60):
    page.page.wait_for_function(STATE, arg=what, timeout=seconds * 1000)


def reached(page, chunk):
    """Wait until a run is at a chunk; a page that is busy does not show each."""
    at = f"""least => {{
      const said = {PANEL}?.element.shadowRoot.querySelector('.state').textContent ?? "";
      return Number(/running · chunk (\\d+) of/.exec(said)?.[1] ?? 0) >= least;
    }}"""
    page.page.wait_for_function(at, arg=chunk, timeout=60_000)


def watched(page, found):
    """Run the demo to its end; look at its chunks, by pointer and by key."""
    found["idle"] = page.page.evaluate(SAYS)
    page.picture("idle")
    page.press_run()
    reached(page, 3)
    found["running"] = page.page.evaluate(SAYS)
    page.picture("watched")
    found["run"] = page.ended(1)
    until(page, "done")
    page.page.wait_for_timeout(500)
    found["done"] = page.page.evaluate(SAYS)
    strip = page.page.get_by_role("slider", name="Finished chunks").first
    box = strip.bounding_box()
    page.page.mouse.move(box["x"] + box["width"] * 0.26, box["y"] + box["height"] / 2)
    page.page.wait_for_timeout(200)
    found["scrubbed"] = page.page.evaluate(SAYS)
    page.picture("scrubbed")
    strip.focus()
    keys = {}
    for key in ("ArrowRight", "Home", "ArrowLeft", "PageUp", "End"):
        page.page.keyboard.press(key)
        keys[key] = page.page.evaluate(SAYS)["strip"]["aria-valuenow"]
    found["keys"] = keys


def reloaded(page, found):
    """Load the page anew while a video is made, and stop it."""
    page.set(SAMPLER, "seconds", 300)
    page.set(SAMPLER, "seed", SEED + 1)
    page.press_run()
    reached(page, 5)
    page.page.wait_for_timeout(3500)  # the page keeps the graph as it is, after a while
    page.page.reload()
    page.page.wait_for_function("() => window.app && app.graph && app.extensionManager")
    page.page.wait_for_timeout(1500)
    page.page.evaluate(WATCH)
    until(page, "running")
    # the newest chunk's picture comes a moment after its numbers
    page.page.wait_for_function(f"() => ({SAYS})().large > 0", timeout=10_000)
    found["reloaded"] = page.page.evaluate(SAYS)
    page.picture("reloaded")
    page.press_stop()
    page.page.get_by_text("The video ends with this chunk.").first.wait_for(timeout=10_000)
    found["stop"] = page.ended(1)
    until(page, "stopped here")
    found["stopped"] = page.page.evaluate(SAYS)
    page.picture("strip_stopped")


def interrupted(page, found):
    page.set(SAMPLER, "seed", SEED + 2)
    page.press_run()
    reached(page, 12)  # of 40 that follow: a picture of the strip stands for several
    page.page.evaluate("() => app.api.interrupt()")
    until(page, "interrupted")
    page.page.set_viewport_size({"width": 1280, "height": 900})
    page.picture("interrupted_1280")
    page.set(SAMPLER, "seconds", 30)
    page.press_run()
    until(page, "done")
    page.page.wait_for_timeout(500)
    found["resumed"] = page.page.evaluate(SAYS)
    page.picture("resumed")


def words(page):
    return page.page.evaluate(SETTINGS, SCHEDULE)[0]["text"]


# widgets are restored by name, where a page can do so
NAMED = """on => app.extensionManager.setting.set("Comfy.Workflow.NamedValuesRestore", on)"""
# the newest file of the sampler, opened as one that is dropped on the page
OPEN_FILM = """async kind => {
  const node = app.graph._nodes.find(node => node.type === kind);
  const {filename, subfolder, type} = (kept => window.film = kept)(
    app.nodeOutputs[node.id]?.images[0] ?? window.film);
  const at = new URLSearchParams({filename, subfolder, type});
  const film = await (await app.api.fetchApi(`/view?${at}`)).blob();
  await app.handleFile(new File([film], filename, {type: "video/mp4"}));
}"""


def receipts(page):
    return page.page.evaluate(
        f"() => [...{PANEL}.element.shadowRoot.querySelectorAll('.receipts > div')]"
        ".map(one => [one.className, one.textContent])"
    )


def steered(page, found):
    """Type prompts for a running video; one is none, one is taken, and written where it belongs."""
    before = words(page)
    page.page.set_viewport_size({"width": 1920, "height": 1080})
    page.page.keyboard.press(".")
    page.set(SAMPLER, "seconds", 90)
    page.set(SAMPLER, "seed", SEED + 3)
    page.press_run()
    reached(page, 3)
    field = page.page.get_by_label("Live prompt").first
    field.focus()
    field.fill("[0:3] a red ball")
    field.press("Enter")
    wrong = f"() => {PANEL}.element.shadowRoot.querySelector('.receipts .wrong')"
    page.page.wait_for_function(wrong, timeout=20_000)
    found["no prompt"] = [receipts(page), field.input_value()]
    field.fill(LIVE)
    field.press("Enter")
    taken = f"{PANEL}.element.shadowRoot.querySelector('.receipts').textContent.split('took it')"
    page.page.wait_for_function(f"() => {taken}.length === 2", timeout=20_000)
    page.page.wait_for_timeout(500)
    found["taken"] = [receipts(page), field.input_value(), words(page)]
    page.picture("steered")
    # else it is what was typed that is undone
    page.page.evaluate("() => document.activeElement.blur()")
    page.press("Control+z")
    page.page.wait_for_timeout(800)
    found["undone"] = words(page) == before
    # what somebody has made of the text meanwhile is not thrown away
    field.fill(LIVE)
    field.press("Enter")
    page.page.wait_for_function(f"() => {taken}.length === 3", timeout=20_000)
    found["left alone"] = words(page) == before
    page.page.get_by_role("button", name="Write into Prompt Schedule").first.dispatch_event("click")
    page.page.wait_for_timeout(300)
    ran = words(page)
    found["written again"] = ran.count(LIVE)
    until(page, "done")
    found["too late"] = field.is_disabled()
    page.page.wait_for_timeout(1000)
    # from the file itself, in a graph that says something else; whichever of both the page believes
    for named in (False, True):
        page.set(SCHEDULE, "text", "a red ball")
        page.page.evaluate(NAMED, named)
        page.page.evaluate(OPEN_FILM, SAMPLER)
        page.page.wait_for_function(
            f"([kind, text]) => ({SETTINGS})(kind)[0]?.text === text",
            arg=[SCHEDULE, ran],
            timeout=15_000,
        )


def main():
    found = {}
    with browsing(URL, RENDERER, 1920, 1080) as browser:
        page = Page(browser.new_page(), URL, RENDERER, FOLDER)
        page.drop(WORKFLOW)
        page.set(SAMPLER, "seed", SEED)
        page.page.keyboard.press(".")
        page.page.wait_for_timeout(500)
        watched(page, found)
        reloaded(page, found)
        interrupted(page, found)
        steered(page, found)
        found["errors"] = page.errors
        other = browser.new_page()
        other.goto(URL)
        found["other"] = other.evaluate(
            """async () => (await (await fetch('/head_forcing/run', {method: 'POST',
            headers: {'Content-Type': 'application/json'},
            body: JSON.stringify({node: '5', client: 'another'})})).json())"""
        )
    print("FOUND", json.dumps(found))


main()
