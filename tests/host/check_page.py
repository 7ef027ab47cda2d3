"""The host's page in a real browser, as a person uses it; leaves pictures of what it showed.

check_page.py HOST URL WORKFLOW FOLDER RENDERER
"""
# ruff: noqa: T201

import json
import re
import sys
from pathlib import Path

from browser_page import ELEMENTS, METHOD, SAMPLER, Page, browsing

URL, WORKFLOW, FOLDER, RENDERER = sys.argv[2], Path(sys.argv[3]), Path(sys.argv[4]), sys.argv[5]
ADD = "kind => { app.graph.add(LiteGraph.createNode(kind)); }"
ALONE = f"kind => {{ app.graph.clear(); ({ADD})(kind); }}"
COPY = """kind => {
  app.canvas.copyToClipboard([app.graph._nodes.find(node => node.type === kind)]);
  app.canvas.pasteFromClipboard();
}"""
# what is saved of a node, and what is sent
SAVED = """kind => app.graph.serialize().nodes.find(node => node.type === kind).widgets_values"""
SENT = """async kind => Object.keys(Object.values((await app.graphToPrompt()).output).find(
  node => node.class_type === kind).inputs)"""
# the file that is played, dropped on an empty page
DROP_VIDEO = """async () => {
  const before = app.graph._nodes.map(node => node.type).sort();
  const at = document.querySelector("video").currentSrc;
  const blob = await (await fetch(at)).blob();
  app.graph.clear();
  await app.handleFile(new File([blob], "dropped.mp4", {type: "video/mp4"}));
  return [before, app.graph._nodes.map(node => node.type).sort()];
}"""
LASTS = """seconds => [...document.querySelectorAll("video")].some(
  video => Math.abs(video.duration - seconds) < 0.2)"""
RELOAD = """async () => {
  await app.loadGraphData(JSON.parse(JSON.stringify(app.graph.serialize())));
}"""


def opened(browser):
    return Page(browser.new_page(), URL, RENDERER, FOLDER)


def used(browser, found):
    """Drop the workflow, run it, change a prompt's time and the method, interrupt, run again."""
    page = opened(browser)
    page.drop(WORKFLOW)
    page.page.keyboard.press(".")  # the whole graph into view
    page.picture("dropped")
    found["drawn as elements"] = page.page.locator("[data-node-id]").count()
    found["can draw elements"] = page.page.evaluate(
        f"() => app.ui.settings.settingsLookup?.['{ELEMENTS}'] !== undefined"
    )
    page.press_run()
    page.page.wait_for_function("() => seen.previews > 20", timeout=60_000)
    page.picture("running")
    found["first run"] = page.ended(1)
    page.page.wait_for_function("() => document.querySelector('video')?.readyState >= 2")
    page.picture("done")
    found["seen"] = page.page.evaluate("() => seen")
    found["videos"] = page.page.locator("video").count()

    text = "[0:6] a red ball moving slowly on striped olive\\n[6:10] a blue ball on plain navy"
    page.set("HeadForcingPromptSchedule", "text", text.replace("\\n", "\n"))
    page.set("HeadForcingSampler", "seconds", 10)
    page.set(METHOD, "method", "sink_window:short")
    found["widgets"] = page.page.evaluate(
        "() => app.graph._nodes.find(n => n.type === 'HeadForcingCacheMethod')"
        ".widgets.filter(w => w.serialize !== false).map(w => w.name)"
    )
    page.press_run()
    found["changed run"] = page.ended(2)
    page.picture("changed")

    page.set("HeadForcingSampler", "seconds", 120)
    page.press_run()
    # the chunks of the run before are there: it is the same video
    page.page.wait_for_function("() => seen.said.some(text => text.includes('of 160'))")
    page.page.evaluate("() => app.api.interrupt()")
    found["interrupted"] = page.ended(3)
    page.page.wait_for_timeout(500)
    page.picture("interrupted")
    found["words interrupted"] = page.page.evaluate("() => seen.said.at(-1)")
    page.set("HeadForcingSampler", "seconds", 15)
    page.press_run()
    found["run again"] = page.ended(4)
    found["last words"] = page.page.evaluate("() => seen.said.at(-1)")
    stopped(page, found)
    found["errors"] = page.errors


def stopped(page, found):
    """Press the button while nothing runs, and while a video is made: it is shorter."""
    page.press_stop()
    page.page.get_by_text("It is not running.").first.wait_for(timeout=10_000)
    page.set(SAMPLER, "seconds", 120)
    # another renderer's check has left chunks of its own
    page.set(SAMPLER, "seed", {"canvas": 5, "elements": 6}[RENDERER])
    said = page.page.evaluate("() => seen.said.length")
    page.press_run()
    page.page.wait_for_function(
        "from => seen.said.slice(from).some(text => text.includes('chunk 4 of 160'))", arg=said
    )
    page.press_stop()
    page.page.get_by_text("The video ends with this chunk.").first.wait_for(timeout=10_000)
    page.picture("stopping")
    found["stopped"] = page.ended(5)
    found["words stopped"] = page.page.evaluate("() => seen.said.at(-1)")
    done = int(re.search(r"after (\d+) of", found["words stopped"])[1])
    # a chunk is three latent frames of four pictures, but for the first; 16 in a second
    page.page.wait_for_function(LASTS, arg=(12 * done - 3) / 16)
    page.picture("stopped")
    found["saved"] = page.page.evaluate(SAVED, SAMPLER)
    found["sent"] = page.page.evaluate(SENT, SAMPLER)
    found["graph of the file"] = page.page.evaluate(DROP_VIDEO)


def chosen_again(browser, found):
    """Edit a method's settings, choose another and it again; load, add, copy and undo nodes."""
    page, seen = opened(browser), {}
    page.page.evaluate(ALONE, METHOD)
    page.set(METHOD, "method", "head_forcing")
    page.set(METHOD, "method.anchor_recent", 5)
    page.set(METHOD, "method.on_switch", "keep")
    page.set(METHOD, "method", "head_forcing:compact")
    seen["another"] = page.settings()
    page.set(METHOD, "method.memory_recent", 2)
    page.set(METHOD, "method", "head_forcing")
    seen["again"] = page.settings()
    page.page.evaluate(RELOAD)
    seen["loaded"] = page.settings()
    page.set(METHOD, "method", "head_forcing:compact")
    seen["another, loaded"] = page.settings()

    page.page.evaluate(ADD, METHOD)
    page.set(METHOD, "method", "head_forcing:compact", 1)
    page.page.evaluate(COPY, METHOD)
    seen["added, copied"] = page.settings()
    page.set(METHOD, "method", "head_forcing", 1)
    page.set(METHOD, "method", "head_forcing", 2)
    seen["each its own"] = page.settings()

    page.press(".")
    page.set(METHOD, "method", "sink_window")
    page.press(".")
    page.press("Control+z")
    seen["undone"] = page.settings()
    page.set(METHOD, "method", "head_forcing")
    seen["again, undone"] = page.settings()

    page.drop(WORKFLOW)
    seen["dropped"] = page.settings()
    page.set(METHOD, "method", "head_forcing")
    seen["another, dropped"] = page.settings()
    page.set(METHOD, "method", "head_forcing:compact")
    seen["again, dropped"] = page.settings()
    found["settings"], found["errors"] = seen, found["errors"] + page.errors


def read(browser, found):
    """Look at a help page, as its button shows it, in both languages."""
    found["help"] = {}
    for language, word in (("en", "Guidance is off"), ("zh", "不使用引导")):
        browser.request.post(f"{URL}/api/settings/Comfy.Locale", data=json.dumps(language))
        page = opened(browser)
        page.drop(WORKFLOW)
        page.page.evaluate(
            "() => app.canvas.selectNode(app.graph._nodes.find("
            "node => node.type === 'HeadForcingSampler'))"
        )
        page.page.locator("[data-testid=info-button]").first.click()
        page.page.get_by_text(word).first.wait_for(timeout=10_000)
        page.picture(f"help_{language}")
        found["help"][language] = page.page.evaluate(
            "() => app.graph._nodes.find(node => node.type === 'HeadForcingSampler')"
            ".constructor.title"
        )
    browser.request.post(f"{URL}/api/settings/Comfy.Locale", data=json.dumps("en"))


def main():
    found = {}
    with browsing(URL, RENDERER) as browser:
        used(browser, found)
        chosen_again(browser, found)
        read(browser, found)
    print("FOUND", json.dumps(found))


main()
