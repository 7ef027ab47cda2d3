"""The panels in the host's page, asked about by axe-core: labels, roles, contrast, keys.

check_axe.py HOST URL WORKFLOW FOLDER RENDERER AXE
"""
# ruff: noqa: T201

import json
import sys
from pathlib import Path

from browser_page import SAMPLER, Page, browsing

URL, WORKFLOW, FOLDER, RENDERER = sys.argv[2], Path(sys.argv[3]), Path(sys.argv[4]), sys.argv[5]
AXE = Path(sys.argv[6])
# of a video that no other check on this host makes
SEED = {"canvas": 400, "elements": 500}[RENDERER]
PANELS = ("prompt_timeline", "head_map_view", "head_forcing_reading", "head_forcing_run")
MAPS = """() => {
  const add = (kind, x, y, values) => {
    const node = LiteGraph.createNode(`HeadForcing${kind}`);
    node.pos = [x, y];
    app.graph.add(node);
    for (const [name, value] of Object.entries(values))
      node.widgets.find(widget => widget.name === name).value = value;
    return node;
  };
  const right = Math.max(...app.graph._nodes.map(node => node.pos[0] + node.size[0])) + 60;
  const load = add("LoadHeadMap", right, 0, {file: "published: pyramid_self_forcing.csv"});
  const edit = add("EditHeadMap", right + 420, 0, {});
  load.connect(0, edit, edit.inputs.findIndex(one => one.name === "head_map"));
  add("ProfileHeads", right + 840, 0, {});
}"""
# A panel by itself, on the ground of its node: what the page lays over its canvas hides grounds
# from axe, and a canvas has no ground that can be asked for.
LIFT = """panel => {
  const hosts = [...document.querySelectorAll(`[data-panel=${panel}]`)];
  const stage = document.createElement("main");
  const opaque = colour => colour && !/^rgba\\(.*, 0\\)$|transparent/.test(colour);
  const groundOf = element => {
    for (let at = element.parentElement; at && at !== document.body; at = at.parentElement) {
      const colour = getComputedStyle(at).backgroundColor;
      if (opaque(colour)) return colour;
    }
    return LiteGraph.NODE_DEFAULT_BGCOLOR;
  };
  stage.style.cssText = "position: fixed; inset: 0; z-index: 99999; overflow: auto";
  const lowered = hosts.map(host => {
    const place = document.createComment("panel"), ground = document.createElement("div");
    ground.style.cssText = `width: ${host.offsetWidth}px; height: ${host.offsetHeight}px`;
    ground.style.background = groundOf(host);
    host.replaceWith(place);
    ground.append(host);
    stage.append(ground);
    return () => place.replaceWith(host);
  });
  document.body.append(stage);
  window.lower = () => {
    lowered.forEach(lower => lower());
    stage.remove();
  };
}"""
LOWER = "() => window.lower()"
# what axe finds in our panels: rule, and the elements it is of
ASKED = """async panel => {
  const found = await axe.run({include: [`[data-panel=${panel}]`]});
  const all = kind => found[kind].flatMap(one => one.nodes.map(
    node => [one.id, node.target.flat().at(-1), node.any[0]?.message ?? node.failureSummary]));
  return {
    passes: found.passes.map(one => one.id),
    violations: all("violations"), incomplete: all("incomplete"),
  };
}"""
THEME = """async name => {
  await app.extensionManager.setting.set("Comfy.ColorPalette", name);
}"""


# each taken away from a panel by itself: what axe must miss, and how it is given back
PLANTED = {
    "words without a label": ("prompt_timeline", """host => {
        const field = host.querySelector("textarea");
        for (const name of ["aria-label", "placeholder"]) field.removeAttribute(name); }"""),
    "a strip without a label": ("head_forcing_run", """host =>
        host.shadowRoot.querySelector(".strip").removeAttribute("aria-label")"""),
    "prompts without a role": ("prompt_timeline", """host =>
        host.shadowRoot.querySelector(".bar").removeAttribute("role")"""),
    "a button without words": ("head_forcing_run", """host => {
        const button = host.shadowRoot.querySelector("button");
        button.removeAttribute("title");
        button.textContent = ""; }"""),
    "words as light as their ground": ("prompt_timeline", """host =>
        (host.shadowRoot.querySelector(".said").style.color = "#888")"""),
}  # fmt: skip
PLANT = "([panel, plant]) => eval(plant)(document.querySelector(`[data-panel=${panel}]`))"
COUNT = "name => document.querySelectorAll(`[data-panel=${name}]`).length"
STATE = """() => document.querySelector("[data-panel=head_forcing_run]").shadowRoot
  .querySelector(".state").textContent"""
# what in a panel the tab key stops at, and how wide its outline is when it does
STOPS = """panel => [...document.querySelectorAll(`[data-panel=${panel}]`)].flatMap(host =>
  [...host.shadowRoot.querySelectorAll("button, [tabindex='0']"), ...host.children]
    .filter(one => !one.disabled && !one.hidden && one.checkVisibility())
    .map(one => {
      one.focus({focusVisible: true});
      const {outlineStyle, outlineWidth} = getComputedStyle(one);
      return [`${panel} ${one.className || one.tagName}`,
        outlineStyle === "none" ? 0 : parseFloat(outlineWidth)];
    }))"""
# the colours of the numbers beside a head map, which are drawn
INK = """() => {
  const panel = document.querySelector("[data-panel=head_map_view]"), seen = {};
  const canvas = panel.shadowRoot.querySelector("canvas"), pen = canvas.getContext("2d");
  const {data} = pen.getImageData(0, 0, canvas.width, 40);
  for (let at = 0; at < data.length; at += 4) {
    const colour = data.slice(at, at + 3).join();
    if (data[at + 3] === 255) seen[colour] = 1 + (seen[colour] ?? 0);
  }
  return Object.entries(seen).sort((one, other) => other[1] - one[1])[0][0];
}"""


def asked(page, panel):
    """Return what axe says of the panels of a kind, by themselves."""
    page.evaluate(LIFT, panel)
    page.wait_for_timeout(300)
    said = page.evaluate(ASKED, panel)
    page.screenshot(path=FOLDER / f"axe_{panel}.png")
    page.evaluate(LOWER)
    return said


def planted(page):
    """Take labels and the like away, and return the rules that see it."""
    found = {}
    for name, (panel, plant) in PLANTED.items():
        page.evaluate(PLANT, [panel, plant])
        found[name] = [rule for rule, *_ in asked(page, panel)["violations"]]
    return found


def main():
    found = {"inks": {}}
    with browsing(URL, RENDERER, 2600, 1400) as browser:
        page = Page(browser.new_page(), URL, RENDERER, FOLDER)
        page.drop(WORKFLOW)
        page.set(SAMPLER, "seed", SEED)
        page.press_run()
        found["run"] = page.ended(1)
        page.page.evaluate(MAPS)
        page.page.evaluate(AXE.read_text("utf-8"))
        for theme in ("dark", "light"):
            page.page.evaluate(THEME, theme)
            page.page.locator("#graph-canvas").first.focus()
            page.page.keyboard.press(".")
            page.page.wait_for_timeout(2000)
            page.picture(f"axe_{theme}")
            found["inks"][theme] = page.page.evaluate(INK)
            found[theme] = {panel: asked(page.page, panel) for panel in PANELS}
        found["state"] = page.page.evaluate(STATE)
        found["panels"] = {panel: page.page.evaluate(COUNT, panel) for panel in PANELS}
        found["stops"] = [one for panel in PANELS for one in page.page.evaluate(STOPS, panel)]
        found["planted"] = planted(page.page)
        page.page.evaluate(THEME, "dark")
        found["errors"] = page.errors
    print("FOUND", json.dumps(found))


main()
