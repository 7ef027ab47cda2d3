// A prompt typed while a video is made: sent, waited for, and its receipt.
//
//     text, cut   ──>   POST /head_forcing/steer   ──>   answered when a chunk has taken it
//     head_forcing.run, with what was taken   ──>   Prompt Schedule says what really ran, or a
//                                                   button lets it

import { app } from "../../../scripts/app.js"
import { api } from "../../../scripts/api.js"
import { nodeNamed } from "../lib/graph.js"
import { plain } from "../lib/run.js"
import { ask } from "./ask.js"
import { asOneStep, setWidget, widgetOf } from "./nodes.js"
import { addField, made } from "./panel.js"
import { say } from "./words.js"

export const LIVE_SHEET = `
  .live { display: grid; grid-template-columns: 1fr auto auto; gap: 6px; align-items: center; }
  .live label { display: flex; gap: 4px; align-items: center; }
  .receipts { min-height: 17px; max-height: 52px; overflow: auto; }
  .receipts .wrong { color: #ff9c8f; } :host(.light) .receipts .wrong { color: #b3261e; }
`
// receipts that are shown, the newest first
const SHOWN = 3

/**
 * Make the field of a panel.
 * @param {any} panel
 * @returns {{elements: HTMLElement[], show: (run: import("../lib/run.js").Run | null) => void}}
 */
export function makeLive(panel) {
  const { slot, field } = addField(panel, "input", "live", say("run.steer.field"))
  field.title = say("run.steer.hint")
  const cut = made("input", { type: "checkbox", title: say("run.steer.cuthint") })
  const send = made("button", { type: "button", textContent: say("run.steer.send") })
  const label = made("label", { title: say("run.steer.cuthint") }, cut, say("run.steer.cut"))
  const row = made("div", { className: "live" }, slot, label, send)
  const receipts = made("div", { className: "receipts", role: "status" })
  let run = null, waiting = "", wrong = ""

  const submit = async () => {
    const text = field.value.trim()
    if (run?.state !== "running" || !text) return
    const { prompt_id, node, run: number } = run, client = api.clientId ?? ""
    const asked = { prompt_id, node, client, text, cut: cut.checked }
    ;[wrong, waiting, field.value, cut.checked] = ["", text, "", false]
    draw()
    const answer = await ask("steer", asked)
    // a later prompt waits in its place, or another run is shown
    if (waiting !== text || run?.run !== number) return
    waiting = ""
    if (!answer.ok) {
      wrong = answer.status ? answer.said.error : say("run.steer.failed")
      if (!field.value) [field.value, cut.checked] = [text, asked.cut]
    }
    draw()
  }
  send.addEventListener("click", submit)
  field.addEventListener("keydown", event => {
    if (event.key === "Enter" && !event.isComposing && !event.ctrlKey && !event.metaKey) submit()
    if (event.key === "Escape") field.value = ""
  })

  function draw() {
    const running = run?.state === "running"
    field.disabled = cut.disabled = send.disabled = !running
    for (const part of [row, receipts]) part.hidden = !run
    field.style.display = run ? "" : "none"
    const lines = []
    if (wrong) lines.push(made("div", { className: "wrong", textContent: wrong }))
    if (waiting) lines.push(made("div", { textContent: say("run.steer.waiting", { text: waiting }) }))
    const told = (run?.steered ?? []).slice(-SHOWN).reverse()
    receipts.replaceChildren(...lines, ...told.map((one, at) => receipt(one, at === 0)))
  }

  return {
    elements: [row, receipts],
    show(now) {
      if (now?.run !== run?.run) [waiting, wrong] = ["", ""]
      run = now
      draw()
    },
  }
}

// One line on a prompt that was taken; of the last, with a way to write it where it is not yet.
function receipt(one, last) {
  const { chunk, second, cut, text } = one
  const word = say(cut ? "run.steer.tookcut" : "run.steer.took", { chunk, second: plain(second) })
  const line = made("div", {}, `${word}: ${text}`)
  const node = last ? scheduleOf(one) : null
  if (!node) return line
  if (linkedText(node) < 0 && widgetOf(node, "text").value === one.schedule) line.append(` · ${say("run.steer.wrote")}`)
  else {
    const button = made("button", { type: "button", textContent: say("run.steer.write") })
    button.addEventListener("click", () => {
      write(one)
      button.replaceWith(say("run.steer.wrote"))
    })
    line.append(" ", button)
  }
  return line
}

// Return the node that the schedule as it ran is to be written into, if there is one.
function scheduleOf(told) {
  if (typeof told.schedule !== "string" || told.schedule_node == null) return null
  const node = nodeNamed(app.rootGraph ?? app.graph, told.schedule_node)
  return node && widgetOf(node, "text") ? node : null
}

/**
 * Let Prompt Schedule say what ran, where it still says what was planned: what somebody has made of
 * it meanwhile stays, and so does what is connected in its place. The receipt has a button for those.
 * @param {any} told a receipt
 */
export function saySchedule(told) {
  const node = scheduleOf(told)
  if (node && linkedText(node) < 0 && widgetOf(node, "text").value === told.planned) write(told)
}

// As one step of undo: queued again, it is the same video.
function write(told) {
  const node = scheduleOf(told)
  if (!node) return
  asOneStep(node, () => {
    const slot = linkedText(node)
    if (slot >= 0) node.disconnectInput?.(slot)
    setWidget(node, "text", told.schedule)
  })
}

// Return the input in whose place something is connected; -1: the widget says the text.
function linkedText(node) {
  return node.inputs?.findIndex(one => one.name === "text" && one.link != null) ?? -1
}
