// What a face does with its node: be there when it is made, follow its widgets, be undone with it.

import { app } from "../../../scripts/app.js"
import { ready } from "./words.js"

// how often widgets are looked at, in milliseconds: renderers, undo, links and other packs change
// them in as many ways, of which not all are told
const LOOK = 150

/** @type {Set<() => void>} */
const looks = new Set()
setInterval(() => document.hidden || looks.forEach(look => look()), LOOK)

/**
 * Give nodes of a kind a face.
 * @param {string} type of the node
 * @param {string} name of the extension
 * @param {(node: any) => void} made called for every new node, when its words are there
 */
export function onNode(type, name, made) {
  app.registerExtension({
    name,
    init: () => ready,
    beforeRegisterNodeDef(nodeType, nodeData) {
      if (nodeData?.name === type) chain(nodeType.prototype, "onNodeCreated", made)
    },
  })
}

/**
 * Do something after what a function of an object of ours does already.
 * @param {any} owner a node, its prototype, or a widget
 * @param {string} name of the function
 * @param {(owner: any, ...given: any[]) => void} then
 */
export function chain(owner, name, then) {
  const before = owner[name]
  owner[name] = function (...given) {
    const result = before?.apply(this, given)
    then(this, ...given)
    return result
  }
}

/**
 * Follow something of a node until it is removed.
 * @template T
 * @param {any} node
 * @param {() => T} read what is followed, as a value that JSON can hold
 * @param {(value: T) => void} changed called with the first value and every other one
 */
export function follow(node, read, changed) {
  let last
  const look = () => {
    // of a node on no graph, nothing is known
    if (!node.graph) return
    const value = read(), text = JSON.stringify(value)
    if (text === last) return
    last = text
    changed(value)
  }
  looks.add(look)
  chain(node, "onAdded", () => looks.add(look))
  chain(node, "onRemoved", () => looks.delete(look))
}

/**
 * Change a node's graph as one step of the page's undo.
 * @param {any} node
 * @param {() => void} change
 */
export function asOneStep(node, change) {
  begin(node)
  try {
    change()
  } finally {
    end(node)
  }
}

/**
 * Begin a step of undo that takes long, such as a drag; the page notes nothing until its end.
 * @param {any} node
 */
export function begin(node) {
  app.canvas?.emitBeforeChange?.()
  node.graph?.beforeChange?.(node)
}

/**
 * End a step that was begun.
 * @param {any} node
 */
export function end(node) {
  node.graph?.afterChange?.(node)
  app.canvas?.emitAfterChange?.()
  app.canvas?.setDirty?.(true, true)
}

/**
 * Set a widget as a person would: its value, and all that follows from it.
 * @param {any} node
 * @param {string} name of the widget
 * @param {any} value
 * @returns {boolean} whether there is such a widget
 */
export function setWidget(node, name, value) {
  const widget = widgetOf(node, name)
  if (widget === undefined) return false
  if (widget.value !== value) {
    widget.value = value
    widget.callback?.(value, app.canvas, node)
  }
  return true
}

/**
 * @param {any} node
 * @param {string} name
 * @returns {any} undefined where the node has no such widget
 */
export function widgetOf(node, name) {
  return node.widgets?.find(widget => widget.name === name)
}
