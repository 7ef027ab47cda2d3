// Widgets of two ranks: what is seldom changed is folded away, with a line that says how much, and
// how many of them have another value than at first.
//
//     seed, seconds, ...            in view
//     ▸ 8 more, 1 changed    ──>    ▾ Fewer, and the eight
//
// Which are folded comes from Python (advanced). Where nodes are drawn as elements, newer pages fold
// them, with a button of their own: there the line is a sign, while something folded is changed. On
// the canvas pages keep the room of what they call advanced, so that widgets are hidden here. Whether a node
// is unfolded is the host's own showAdvanced, which it saves. Values are saved and sent as ever.

import { app } from "../../scripts/app.js"
import { chain, follow } from "./face/nodes.js"
import { noted } from "./face/panel.js"
import { ready, say } from "./face/words.js"
import { changedOf, defaultsOf, foldedOf, hasFolded } from "./lib/ranks.js"

const OURS = "HeadForcing", LINE = "head_forcing_fold"
const TALLER = 28 / 24
const ALWAYS = "Comfy.Node.AlwaysShowAdvancedWidgets"

app.registerExtension({
  name: "HeadForcing.Ranks",
  init: () => ready,
  beforeRegisterNodeDef(nodeType, nodeData) {
    if (!nodeData?.name?.startsWith(OURS) || !hasFolded(nodeData.input)) return
    const defaults = defaultsOf(nodeData.input)
    chain(nodeType.prototype, "onNodeCreated", node => addRanks(node, defaults))
  },
})

function addRanks(node, defaults) {
  const line = lineOf(node)
  // in a file, so that one of an older version is known by having none
  node.showAdvanced ??= false
  const look = () => {
    const before = heightOf(node), now = stateOf(node, defaults)
    fold(node, line, now)
    const more = heightOf(node) - before
    // elements make room for themselves, and their rows are taller; they do not give it back
    if (more && (onCanvas() || more < 0)) setHeight(node, node.size[1] + more * taller())
  }
  line.callback = () => {
    node.showAdvanced = !node.showAdvanced
    look()
  }
  look()
  chain(node, "onConfigure", (_, info) => configured(node, info, look))
  follow(node, () => [stateOf(node, defaults), stale(node)], look)
}

// A node has the height it was saved with, whatever the host made of it while its widgets came.
function configured(node, info, look) {
  look()
  if (!info?.size) return
  const now = heightOf(node)
  // saved when all of its widgets were in view
  const spare = info.showAdvanced === undefined ? unfoldedHeight(node) - now : 0
  setHeight(node, info.size[1] - spare * taller())
}

function onCanvas() {
  return !globalThis.LiteGraph?.vueNodesMode
}

function taller() {
  return onCanvas() ? 1 : TALLER
}

// What is shown of a node: canvas, whether its widgets are drawn on one.
function stateOf(node, defaults) {
  const canvas = onCanvas()
  const always = app.extensionManager?.setting?.get?.(ALWAYS)
  const can = canvas || always !== undefined
  const folded = can && always !== true ? foldedOf(node) : []
  const changed = changedOf(folded, node.widgets ?? [], defaults)
  return { canvas, open: node.showAdvanced === true, count: folded.length, changed }
}

function fold(node, line, { canvas, open, count, changed }) {
  const folded = new Set(count ? foldedOf(node) : [])
  for (const widget of node.widgets ?? [])
    if (widget.options?.advanced === true) widget.hidden = folded.has(widget) && !open
  const closed = changed ? say("ranks.changed", { n: count, changed }) : say("ranks.more", { n: count })
  place(node, line, count > 0 && (canvas || (changed > 0 && !open)))
  line.label = open ? `▾ ${say("ranks.fewer")}` : `▸ ${closed}`
  app.canvas?.setDirty?.(true, true)
}

// Widgets that came since the last look are not hidden yet.
function stale(node) {
  return foldedOf(node).filter(widget => widget.hidden !== (node.showAdvanced !== true)).length
}

// A button that is neither saved nor sent.
function lineOf(node) {
  const line = node.addWidget("button", LINE, null, () => {}, { serialize: false })
  line.serialize = false
  line.tooltip = say("ranks.hint")
  return line
}

// Behind everything that is saved: a place among it would be one of the saved values.
function place(node, line, wanted) {
  const { widgets } = node, at = widgets.indexOf(line)
  const others = widgets.filter(widget => widget !== line)
  const after = others.findLastIndex(widget => widget.serialize !== false) + 1
  if (at >= 0 && (!wanted || at !== after)) widgets.splice(at, 1)
  if (!wanted || at === after) return
  // newer pages draw the label of widgets they know, which are those that a node brings to a graph
  line.setNodeId?.(node.id)
  widgets.splice(after, 0, line)
}

function heightOf(node) {
  return node.computeSize?.()[1] ?? node.size[1]
}

function unfoldedHeight(node) {
  const hidden = foldedOf(node).filter(widget => widget.hidden)
  for (const widget of hidden) widget.hidden = false
  const height = heightOf(node)
  for (const widget of hidden) widget.hidden = true
  return height
}

function setHeight(node, height) {
  node.setSize?.([node.size[0], Math.max(height, heightOf(node))])
  noted(node)
}
