// The head map on Profile Heads, Load Head Map and Edit Head Map: every head in its type's colour.
//
//     a head, or several, are painted   ──>   the edits widget   ──>   POST /head_forcing/head_map
//                                                                          what is then shown
//
// Types, what was measured and whether edits can be made come from Python; until it has answered,
// painted heads are shown as they were painted.

import { api } from "../../scripts/api.js"
import { ask } from "./face/ask.js"
import { HeadMapView } from "./face/head_map_view.js"
import { asOneStep, chain, follow, onNode, setWidget } from "./face/nodes.js"
import { say } from "./face/words.js"
import { editsText } from "./lib/head_edits.js"
import { placeOf } from "./lib/map_place.js"

const NODES = ["ProfileHeads", "LoadHeadMap", "EditHeadMap"]
const PROFILE = "HeadForcingProfileHeads"

/** @type {Set<() => void>} */
const faces = new Set()
// what a run has made is known when it has ended, of nodes too that were not run again
for (const kind of ["execution_success", "execution_error"])
  api.addEventListener(kind, () => faces.forEach(look => look()))

for (const name of NODES) onNode(`HeadForcing${name}`, `HeadForcing.HeadMap.${name}`, addFace)

function addFace(node) {
  let asked = 0, at = null, ran = null
  const view = HeadMapView.on(node, edits => {
    const text = editsText(edits, view.names)
    asOneStep(node, () => setWidget(node, "edits", text))
  })
  if (view === null) return

  async function look() {
    const number = ++asked
    if (at === null) return
    const { place, change, edits, beside, from } = at
    if (place === null) return view.tell(say("headMap.connect"))
    const { ok, status, said } = await ask("head_map", {
      ...place, change, edits: edits ?? "", ...(beside ? { beside } : {}),
    })
    if (number !== asked) return
    if (ok) return view.show(said, { fixed: edits === undefined })
    // a map of its last run, where no one knows of which graph
    if (status === 404 && ran !== null) return view.show({ ...ran, current: false }, { fixed: true })
    if (status !== 404) return view.tell(said.error, true)
    view.tell(say([PROFILE, null].includes(from) ? "headMap.measure" : "headMap.later"))
  }

  follow(node, () => placeOf(node), place => {
    at = place
    look()
  })
  chain(node, "onExecuted", (_, output) => {
    ran = output?.head_map?.[0] ?? ran
    look()
  })
  chain(node, "onAdded", () => faces.add(look))
  chain(node, "onRemoved", () => faces.delete(look))
  faces.add(look)
}
