// Head Forcing Sampler on the page: a run one can watch, stop where it is, and steer.
//
//     one line: no run  [Stop here]
//       │  head_forcing.run, chunk by chunk; after a reload POST /head_forcing/run
//     what it does, how fast · the finished chunks · one of them larger · drift · a live prompt

import { api } from "../../scripts/api.js"
import { app } from "../../scripts/app.js"
import { ask } from "./face/ask.js"
import { LIVE_SHEET, makeLive, saySchedule } from "./face/live_prompt.js"
import { follow, onNode } from "./face/nodes.js"
import { addPanel, made } from "./face/panel.js"
import { stop } from "./face/stopping.js"
import { makeStrip, STRIP_SHEET } from "./face/strip.js"
import { say } from "./face/words.js"
import { namesOf, nodeNamed } from "./lib/graph.js"
import { bytesText, lit, merged, plain, timeText } from "./lib/run.js"

const SMALL = 30, TALL = 330
const SHEET = `
  .all { display: flex; flex-direction: column; gap: 5px; padding: 2px; height: 100%; }
  .head { display: flex; gap: 8px; align-items: center; min-height: 24px; }
  .head .state { flex: 1; min-width: 0; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
  .facts { color: var(--hf-text); min-height: 16px; }
  .lights { display: flex; flex-wrap: wrap; gap: 2px 10px; align-content: start;
    flex: 1 1 52px; min-height: 52px; overflow: auto; }
  .light::before { display: inline-block; margin-right: 4px; }
  .ok::before { content: "●"; color: #5fd38a; }
  .out::before { content: "▲"; color: #ffb454; }
  .back::before { content: "◌"; color: #9ecbff; }
  :host(.light) .ok::before { color: #1a7f43; } :host(.light) .out::before { color: #a35200; }
  :host(.light) .back::before { color: #1d5fa8; }
  [hidden] { display: none !important; }
`
/** @type {WeakMap<any, {news: (told: any) => void, load: () => void}>} */
const faces = new WeakMap()
const shown = new Set()

onNode("HeadForcingSampler", "HeadForcing.RunStrip", addRun)
api.addEventListener("head_forcing.run", ({ detail }) => faceOf(detail)?.news(detail))
api.addEventListener("reconnected", () => shown.forEach(face => face.load()))

function faceOf(told) {
  return faces.get(nodeNamed(app.rootGraph ?? app.graph, told?.node))
}

function addRun(node) {
  let run = null
  const panel = addPanel(node, "head_forcing_run", {
    label: say("run.panel"), height: () => (run === null ? SMALL : TALL),
    sheet: SHEET + STRIP_SHEET + LIVE_SHEET,
  })
  const stopIt = () => stop(run?.state === "running" ? run.node : String(node.id))
  if (panel === null) return addButton(node, stopIt)
  const view = makeView(panel, stopIt)
  const show = now => {
    const before = run
    run = now
    view.show(run)
    if ((before === null) !== (run === null)) panel.fit()
  }
  const face = {
    news(told) {
      if (!ours(told)) return
      const now = merged(run, told)
      if (now === null) return face.load()
      if (told.steered) saySchedule(told.steered.at(-1))
      show(now)
    },
    async load() {
      const found = (await loaded(node)).filter(ours).sort((one, other) => other.run - one.run)
      // news that came meanwhile is newer
      if (found.length && !(run && run.run === found[0].run && run.done > found[0].done)) show(found[0])
      else if (!found.length) show(null)
    },
  }
  faces.set(node, face)
  // a graph that is opened, a copy, and another tab have names of their own
  follow(node, () => [namesOf(node), graphId()], () => {
    shown.add(face)
    face.load()
  })
  const removed = node.onRemoved
  node.onRemoved = function (...given) {
    shown.delete(face)
    return removed?.apply(this, given)
  }
}

// Another workflow of this page may have a node of the same name.
function ours({ workflow }) {
  return !workflow || !graphId() || workflow === graphId()
}

function graphId() {
  return (app.rootGraph ?? app.graph)?.id ?? null
}

async function loaded(node) {
  const client = api.clientId ?? api.initialClientId
  if (!client) return []
  const found = []
  for (const name of namesOf(node)) {
    const { ok, said } = await ask("run", { node: name, client })
    if (ok && said.run) found.push(said.run)
  }
  return found
}

function makeView(panel, stopIt) {
  const state = made("div", { className: "state", role: "status" })
  const button = made("button", { type: "button", textContent: say("stop.button") })
  button.title = say("stop.hint")
  button.addEventListener("click", stopIt)
  const facts = made("div", { className: "facts" }), lights = made("div", { className: "lights", tabIndex: 0 })
  lights.setAttribute("role", "status")
  const strip = makeStrip(), live = makeLive(panel)
  const head = made("div", { className: "head" }, state, button)
  const all = made("div", { className: "all" },
    head, facts, ...strip.elements, lights, ...live.elements)
  panel.root.append(all)
  return {
    show(run) {
      state.textContent = run === null ? say("run.idle") : stateText(run)
      state.title = state.textContent
      for (const part of [facts, lights]) part.hidden = run === null
      facts.textContent = run === null ? "" : factsText(run)
      lights.replaceChildren(...(run === null ? [] : lightsOf(run)))
      strip.show(run)
      live.show(run)
    },
  }
}

function stateText(run) {
  const words = [say(`run.${run.state}`), say("run.chunk", { chunk: run.done, chunks: run.chunks })]
  const { step, steps } = run
  if (run.state === "running" && step)
    words.push(steps && step <= steps ? say("run.step", { step, steps }) : say("run.steponly", { step }))
  if (run.said) words.push(run.said)
  return words.join(" · ")
}

function factsText(run) {
  const words = []
  if (run.speed !== null) words.push(say("run.speed", { speed: plain(run.speed) }))
  if (run.state === "running" && run.left !== null)
    words.push(say("run.left", { time: timeText(run.left) }))
  words.push(say("run.caches", { bytes: bytesText(run.cache_bytes) }))
  if (run.resumed) words.push(say("run.resumed", { count: run.resumed }))
  return words.join(" · ")
}

function lightsOf(run) {
  const { out, back, ok } = lit(run.lights)
  const light = (kind, text, title = "") =>
    made("span", { className: `light ${kind}`, textContent: text, title })
  const measure = one => say(`run.measures.${one.measure}`)
  return [
    ...out.map(one => light("out",
      say("run.out", { measure: measure(one), second: plain(one.left) }), one.said)),
    ...back.map(one => light("back", say("run.back",
      { measure: measure(one), second: plain(one.left), back: plain(one.back) }), one.said)),
    light("ok", say(ok === run.lights.length ? "run.ok" : "run.others", { count: ok })),
  ]
}

// Where a page has no panels: the last widget, neither saved nor sent.
function addButton(node, stopIt) {
  const widget = node.addWidget("button", say("stop.button"), null, stopIt, { serialize: false })
  widget.serialize = false
  widget.tooltip = say("stop.hint")
}
