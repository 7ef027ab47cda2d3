// Stop here: a run ends where it is, with what is finished as its result. Interrupting it ends the
// whole prompt, and nothing that follows the sampler runs.
//
//     Stop here   ──>   POST /head_forcing/stop {node}   ──>   a word on what will become of it

import { app } from "../../../scripts/app.js"
import { ask } from "./ask.js"
import { say } from "./words.js"

/**
 * Ask a node's run to stop, and say what will become of it.
 * @param {string} name of the node, as the host has it
 */
export async function stop(name) {
  const { ok, status, said } = await ask("stop", { node: name })
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
