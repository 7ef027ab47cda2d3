// Where a node's head map comes from, told so that Python can find it without a run.

import { source, valueOf } from "./graph.js"

const LOAD = "HeadForcingLoadHeadMap", EDIT = "HeadForcingEditHeadMap"
const PROFILE = "HeadForcingProfileHeads"
const UNCHANGED = "unchanged"
const DEPTH = 64

/** @typedef {{file?: string, node?: string, made_of?: object, steps: string[]}} Place */

/**
 * Return what the page knows of a node: where its map comes from, and its own edits.
 * @param {any} node
 * @returns {{place: Place | null, change: string, edits: string | undefined, beside: Place | null,
 *   from: string | null}} place: null if nothing is connected; edits: undefined where they are
 *     only known when the graph runs; from: type of the node that the map is of
 */
export function placeOf(node) {
  const edits = valueOf(node, "edits")
  if (node.type !== EDIT)
    return { place: own(node), change: "", edits, beside: null, from: node.type }
  const from = source(node, "head_map"), beside = source(node, "beside")
  const place = from && (given(from, 0) ?? itself(node))
  const change = changeOf(node)
  return {
    place: change === undefined ? itself(node) : place,
    change: change ?? "",
    edits,
    beside: beside && given(beside, 0),
    from: from?.node.type ?? null,
  }
}

// The map before a node's own edits, for nodes that begin a chain.
function own(node) {
  const file = node.type === LOAD ? valueOf(node, "file") : undefined
  return typeof file === "string" ? { file, steps: [] } : itself(node)
}

function itself(node) {
  return { node: String(node.id), made_of: madeOf(node), steps: [] }
}

// The map that an output gives; null where nothing of it is known before it runs.
function given({ node }, depth) {
  const edits = valueOf(node, "edits")
  if (depth > DEPTH || edits === undefined) return null
  if (node.type === LOAD || node.type === PROFILE) return after(own(node), edits)
  if (node.type !== EDIT) return null
  const from = source(node, "head_map"), change = changeOf(node)
  const before = from && change !== undefined ? given(from, depth + 1) : null
  return before && after(before, change, edits)
}

function after(place, ...texts) {
  return { ...place, steps: [...place.steps, ...texts.filter(text => text.trim())] }
}

// What the widgets of one head say, as edits; undefined where it is only known in a run.
function changeOf(node) {
  const [layer, head, type] = ["layer", "head", "type"].map(name => valueOf(node, name))
  if (type === UNCHANGED) return ""
  return [layer, head, type].includes(undefined) ? undefined : `${layer}.${head}=${type}`
}

/**
 * Return a node and all that feeds it as a prompt has them: {key: {class_type, inputs}}.
 * Keys are numbers of its own, but that of the node itself, which is its id.
 * @param {any} node
 * @returns {Record<string, {class_type: string, inputs: Record<string, any>}>}
 */
export function madeOf(node) {
  const keys = new Map([[node, String(node.id)]]), told = {}
  const todo = [node]
  for (let one; (one = todo.pop()); ) {
    const inputs = {}
    for (const widget of one.widgets ?? [])
      if (widget.options?.serialize !== false && plain(widget.value))
        inputs[widget.name] = widget.value
    for (const slot of one.inputs ?? []) {
      if (slot.link == null) continue
      delete inputs[slot.name]
      const from = source(one, slot.name)
      if (from === null) continue
      // not a node of the host, but a value that the page fills in
      if (from.node.type === "PrimitiveNode") {
        inputs[slot.name] = from.node.widgets?.[0]?.value
        continue
      }
      if (!keys.has(from.node)) {
        keys.set(from.node, `of ${keys.size}`)
        todo.push(from.node)
      }
      inputs[slot.name] = [keys.get(from.node), from.slot]
    }
    told[keys.get(one)] = { class_type: one.type, inputs }
  }
  return told
}

function plain(value) {
  return ["string", "number", "boolean"].includes(typeof value)
}
