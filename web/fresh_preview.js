// Head Forcing Sampler on the page: while a video is made its newest frame is shown, then the video.
//
//     newest frame ──> newest frame ──> the video ──> newest frame of the next run ──> ...
//
// A page takes what a node has shown for what it shows from then on: it would play the last newest
// frame as the video, and every newest frame of the next run. So each is forgotten when the other
// comes.

import { api } from "../../scripts/api.js"
import { app } from "../../scripts/app.js"
import { chain } from "./face/nodes.js"
import { nodeNamed } from "./lib/graph.js"

const NODE = "HeadForcingSampler"
// what the page shows a node's result in
const PLAYERS = ["video-preview", "$$comfy_animation_preview", "$$canvas-image-preview"]
// where it writes what a node says
const LINE = "$$node-text-preview"
const STORE = "nodeOutput"

app.registerExtension({
  name: "HeadForcing.FreshPreview",
  beforeRegisterNodeDef(nodeType, nodeData) {
    if (nodeData?.name !== NODE) return
    chain(nodeType.prototype, "addCustomWidget", (node, widget) => keepBack(widget))
  },
  setup() {
    api.addEventListener("executing", ({ detail }) => begun(nodeAt(detail)))
    api.addEventListener("executed", ({ detail }) => ended(nodeAt(detail?.node), detail))
  },
})

// Return the sampler of a name, which is a path inside of subgraphs.
function nodeAt(name) {
  const node = nodeNamed(app.rootGraph ?? app.graph, name)
  return (node?.comfyClass ?? node?.type) === NODE ? node : null
}

function begun(node) {
  if (node === null) return
  const place = placeOf(node)
  storeOf()?.removeNodeOutputsForNode?.(node)
  if (app.nodeOutputs) delete app.nodeOutputs[place]
  forget(node)
}

function ended(node, detail) {
  if (node === null) return
  const place = placeOf(node)
  storeOf()?.revokePreviewsByLocatorId?.(place)
  if (app.nodePreviewImages) delete app.nodePreviewImages[place]
  forget(node)
  // elements of older pages take what a node gives for a picture, unless it is given a video
  if (detail?.output?.images?.length) node.previewMediaType = "video"
  app.canvas?.setDirty?.(true, true)
}

// Leave what the page adds out of what is sent and saved: the same graph would count as another one.
function keepBack(widget) {
  if (![...PLAYERS, LINE].includes(widget?.name)) return
  widget.serialize = false
  widget.options ??= {}
  widget.options.serialize = false
}

// What is drawn as elements looks into a store; what is drawn on a canvas, into the app.
function storeOf() {
  return app.extensionManager?._p?._s?.get(STORE)
}

function forget(node) {
  for (const player of node.widgets?.filter(widget => PLAYERS.includes(widget.name)) ?? [])
    node.removeWidget?.(player)
  for (const shown of ["videoContainer", "previewMediaType", "images", "preview", "imgs"])
    node[shown] = undefined
}

// Return where a page keeps what a node has shown.
function placeOf(node) {
  const root = app.rootGraph ?? app.graph
  return !node.graph || node.graph === root ? String(node.id) : `${node.graph.id}:${node.id}`
}
