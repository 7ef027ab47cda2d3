// Head Forcing Sampler on the page: a button that ends a run where it is, with what is finished as
// its result. Interrupting it ends the whole prompt, and nothing that follows the sampler runs.
//
//     Stop here   ──>   POST /head_forcing/stop {node}   ──>   a word on what will become of it

import { api } from "../../scripts/api.js"
import { app } from "../../scripts/app.js"

const NODE = "HeadForcingSampler"
const ROUTE = "/head_forcing/stop"
const WORDS = {
  en: {
    button: "Stop here",
    hint: "End this run after the chunk it is at: what is finished becomes the video.",
    stopping: "The video ends with this chunk.",
    idle: "It is not running.",
    failed: "ComfyUI did not answer.",
  },
  zh: {
    button: "到此为止",
    hint: "完成当前这一块后结束：已完成的部分就是视频。",
    stopping: "视频到这一块为止。",
    idle: "它没有在运行。",
    failed: "ComfyUI 没有回应。",
  },
}

app.registerExtension({
  name: "HeadForcing.StopHere",
  beforeRegisterNodeDef(nodeType, nodeData) {
    if (nodeData?.name !== NODE) return
    const before = nodeType.prototype.onNodeCreated
    nodeType.prototype.onNodeCreated = function (...given) {
      const result = before?.apply(this, given)
      addButton(this)
      return result
    }
  },
})

// The last widget, and neither saved nor sent: values of saved workflows stay where they belong.
function addButton(node) {
  const { button, hint } = words()
  const widget = node.addWidget("button", button, null, () => stop(node), { serialize: false })
  widget.serialize = false
  widget.tooltip = hint
}

async function stop(node) {
  const { stopping, idle, failed } = words()
  let answer
  try {
    answer = await api.fetchApi(ROUTE, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ node: String(node.id) }),
    })
  } catch (error) {
    return tell("error", failed, String(error))
  }
  if (answer.ok) return tell("success", stopping)
  // 409: no run of this node can be stopped
  if (answer.status === 409) return tell("info", idle)
  tell("error", failed, `${answer.status} ${answer.statusText}`)
}

function tell(severity, detail, more = "") {
  const said = { severity, summary: words().button, detail: `${detail} ${more}`.trim() }
  const toast = app.extensionManager?.toast
  if (toast?.add) toast.add({ ...said, life: 5000 })
  else console.info(`Head Forcing: ${said.summary}: ${said.detail}`)
}

function words() {
  const language = app.extensionManager?.setting?.get?.("Comfy.Locale") ?? "en"
  return String(language).startsWith("zh") ? WORDS.zh : WORDS.en
}
