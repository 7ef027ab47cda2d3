// Head Forcing Sampler on the page: a button that ends a run where it is, with what is finished as
// its result. Interrupting it ends the whole prompt, and nothing that follows the sampler runs.
//
//     Stop here   ──>   POST /head_forcing/stop {node}   ──>   a word on what will become of it

import { app } from "../../scripts/app.js"
import { ask } from "./face/ask.js"
import { onNode } from "./face/nodes.js"
import { say } from "./face/words.js"

onNode("HeadForcingSampler", "HeadForcing.StopHere", addButton)

// The last widget, and neither saved nor sent: values of saved workflows stay where they belong.
function addButton(node) {
  const widget = node.addWidget("button", say("stop.button"), null, () => stop(node), {
    serialize: false,
  })
  widget.serialize = false
  widget.tooltip = say("stop.hint")
}

async function stop(node) {
  const { ok, status, said } = await ask("stop", { node: String(node.id) })
  if (ok) return tell("success", say("stop.stopping"))
  // 409: no run of this node can be stopped
  if (status === 409) return tell("info", say("stop.idle"))
  tell("error", say("stop.failed"), said.error)
}

function tell(severity, detail, more = "") {
  const said = { severity, summary: say("stop.button"), detail: `${detail} ${more}`.trim() }
  const toast = app.extensionManager?.toast
  if (toast?.add) toast.add({ ...said, life: 5000 })
  else console.info(`Head Forcing: ${said.summary}: ${said.detail}`)
}
