// Cache Method on the page: what was set under a method is there again when the method is.
//
//     method: head_forcing   ──>   method: rolling   ──>   method: head_forcing
//     anchor_recent: 3             (its own settings)      anchor_recent: 3
//
// The page takes a method's widgets away when another is chosen, and makes new ones, with defaults,
// when it is chosen again. What was edited is kept in a property of the node meanwhile, so that it
// is saved, copied and undone with the node: {method: {setting: value}}, of methods not shown.
// Values come back where somebody chooses a method, never where a workflow is loaded.

import { app } from "../../scripts/app.js"
import { chain } from "./face/nodes.js"
import { defaultsOf } from "./lib/ranks.js"

const NODE = "HeadForcingCacheMethod"
const CHOICE = "method"
const KEPT = "head_forcing_edits"

// node: the method that is shown, and its widgets, which know their values when they have been
// taken off the node, too
const shown = new WeakMap()

app.registerExtension({
  name: "HeadForcing.CacheMethod",
  beforeRegisterNodeDef(nodeType, nodeData) {
    if (nodeData?.name !== NODE) return
    // {method: {setting: its default}}, where the page is told of settings by method
    const defaults = defaultsOf(nodeData.input)[CHOICE]?.under
    if (defaults === undefined) return
    chain(nodeType.prototype, "onNodeCreated", node => {
      const choice = node.widgets?.find(widget => widget.name === CHOICE)
      if (choice === undefined) return
      // not yet: what a page sets while it makes a node is nobody's edit
      queueMicrotask(() => look(node))
      chain(choice, "callback", () => changed(node, defaults))
    })
    // a workflow that is loaded, or a copy, has set the widgets
    chain(nodeType.prototype, "onConfigure", look)
  },
})

function look(node) {
  const choice = node.widgets?.find(widget => widget.name === CHOICE)
  if (choice === undefined) return
  const settings = new Map()
  for (const widget of node.widgets)
    if (widget.name?.startsWith(`${CHOICE}.`))
      settings.set(widget.name.slice(CHOICE.length + 1), widget)
  shown.set(node, { method: choice.value, settings })
}

function changed(node, defaults) {
  const last = shown.get(node)
  look(node)
  const now = shown.get(node)
  if (last === undefined || now === undefined || !node.properties) return
  const kept = { ...plain(node.properties[KEPT]), [last.method]: edits(last, defaults) }
  for (const [name, value] of Object.entries(plain(kept[now.method]))) {
    const widget = now.settings.get(name)
    if (widget !== undefined && fits(widget, value)) widget.value = value
  }
  delete kept[now.method]
  if (!Object.keys(plain(kept[last.method])).length) delete kept[last.method]
  if (Object.keys(kept).length) node.properties[KEPT] = kept
  else delete node.properties[KEPT]
}

// Return {setting: value} of what differs from the method's own values.
function edits({ method, settings }, defaults) {
  const values = Array.from(settings, ([name, widget]) => [name, widget.value])
  return Object.fromEntries(values.filter(([name, value]) => value !== defaults[method]?.[name]?.first))
}

// Properties can be edited by hand.
function plain(value) {
  return typeof value === "object" ? value ?? {} : {}
}

// A file may have been saved when a setting was of another kind.
function fits(widget, value) {
  const choices = widget.options?.values
  const known = !Array.isArray(choices) || choices.includes(value)
  return known && typeof value === typeof widget.value
}
