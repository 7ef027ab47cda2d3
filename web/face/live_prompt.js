// A prompt typed while a video is made: sent, waited for, and its receipt.
//
//     text, cut   ──>   POST /head_forcing/steer   ──>   waiting for chunk n
//     head_forcing.steered   ──>   chunk n took it; Prompt Schedule says what really ran

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
  .receipts .wrong { color: #ff9c8f; }
`
// receipts that are shown, the newest first
const SHOWN = 3

/**
 * Make the field of a panel.
 * @param {any} panel
 * @returns {{elements: HTMLElement[], show: (run: any) => void, steered: (said: any) => void}}
 */
export function makeLive(panel) {
  const { slot, field } = addField(panel, "input", "live", say("run.steer.field"))
  field.title = say("run.steer.hint")
  const cut = made("input", { type: "checkbox", title: say("run.steer.cuthint") })
  const send = made("button", { type: "button", textContent: say("run.steer.send") })
  const label = made("label", { title: say("run.steer.cuthint") }, cut, say("run.steer.cut"))
  const row = made("div", { className: "live" }, slot, label, send)
  const receipts = made("div", { className: "receipts", role: "status" })
  let run = null, waiting = null, wrong = ""

  const submit = async () => {
    const text = field.value.trim()
    if (run?.state !== "running" || !text || send.disabled) return
    const { prompt_id, node, run: number } = run
    ;[wrong, send.disabled] = ["", true]
    const client = api.clientId ?? ""
    const answer = await ask("steer", { prompt_id, node, client, text, cut: cut.checked })
    if (run?.run !== number) return draw()
    const taken = run.steered.some(said => said.text === text && said.chunk >= answer.said.chunk)
    if (!answer.ok) wrong = answer.status ? answer.said.error : say("run.steer.failed")
    else {
      if (!taken) waiting = answer.said
      field.value = ""
      cut.checked = false
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
    if (waiting && !running && run) [waiting, wrong] = [null, say("run.steer.unsent")]
    const lines = []
    if (wrong) lines.push(made("div", { className: "wrong", textContent: wrong }))
    if (waiting) lines.push(made("div", { textContent: said("waiting", waiting) }))
    const told = (run?.steered ?? []).slice(-SHOWN).reverse()
    lines.push(...told.map((one, at) => receipt(one, at === 0)))
    receipts.replaceChildren(...lines)
  }

  return {
    elements: [row, receipts],
    show(now) {
      if (now?.run !== run?.run) [waiting, wrong] = [null, ""]
      run = now
      draw()
    },
    steered(told) {
      waiting = null
      if (told.error) wrong = told.error
      else write(told)
      draw()
    },
  }
}

// One line on a prompt that was taken; of the last, with a way to write it where it is not yet.
function receipt(one, last) {
  if (one.error) return made("div", { className: "wrong", textContent: one.error })
  const line = made("div", {}, said(one.cut ? "tookcut" : "took", one), `: ${one.text}`)
  const node = last ? scheduleOf(one) : null
  if (!node) return line
  if (widgetOf(node, "text").value === one.schedule) line.append(` · ${say("run.steer.wrote")}`)
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

function said(word, { chunk, second }) {
  return say(`run.steer.${word}`, { chunk, second: plain(second) })
}

// Return the node that the schedule as it ran is to be written into, if there is one.
function scheduleOf(told) {
  if (typeof told.schedule !== "string" || told.schedule_node == null) return null
  const node = nodeNamed(app.rootGraph ?? app.graph, told.schedule_node)
  return node && widgetOf(node, "text") ? node : null
}

// Let Prompt Schedule say what really ran: queued again, it is the same video.
function write(told) {
  const node = scheduleOf(told)
  if (node) asOneStep(node, () => setWidget(node, "text", told.schedule))
}
