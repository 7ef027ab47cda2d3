"""The timeline of Prompt Schedule in the host's page, worked with a mouse and keys.

check_timeline.py HOST URL WORKFLOW FOLDER RENDERER
"""
# ruff: noqa: T201

import json
import sys
from pathlib import Path

from browser_page import SCHEDULE, Page, browsing

URL, WORKFLOW, FOLDER, RENDERER = sys.argv[2], Path(sys.argv[3]), Path(sys.argv[4]), sys.argv[5]
TEXT = f"""() => app.graph._nodes.find(node => node.type === "{SCHEDULE}").widgets.find(
  widget => widget.name === "text").value"""
SENT = f"""async () => Object.values((await app.graphToPrompt()).output).find(
  node => node.class_type === "{SCHEDULE}").inputs.text"""


def main():
    found = {}
    with browsing(URL, RENDERER, 1920, 1000) as browser:
        page = Page(browser.new_page(), URL, RENDERER, FOLDER)
        page.drop(WORKFLOW)
        page.page.keyboard.press(".")
        page.page.wait_for_timeout(1500)

        def noted(name):
            page.page.wait_for_timeout(900)
            bars = page.page.locator(".bar").evaluate_all("all => all.map(x => x.ariaLabel)")
            found[name] = [page.page.evaluate(TEXT), bars]

        noted("first")
        box = page.page.locator("[data-edge='1']").bounding_box()
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        page.page.mouse.move(x, y)
        page.page.mouse.down()
        page.page.mouse.move(x + 45, y, steps=5)
        found["while"] = page.page.locator(".said").inner_text()
        page.page.mouse.up()
        noted("dragged")
        found["sent"] = page.page.evaluate(SENT)
        page.press("Control+z")
        noted("undone")
        page.page.locator(".bar").nth(1).focus()
        page.page.keyboard.press("#")
        noted("cut")
        page.set(SCHEDULE, "text", "[0:9] a red ball\n[3:9] [9")
        page.page.wait_for_timeout(900)
        found["bad"] = page.page.locator(".note").inner_text()
        page.set(SCHEDULE, "text", "a red ball | a blue ball")
        noted("typed")
        page.picture("timeline")
        found["errors"] = page.errors
    print("FOUND", json.dumps(found))


main()
