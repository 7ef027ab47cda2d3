// A place for a picture on a node, in whatever way the page draws nodes.
//
// What is drawn lies in a shadow, with a sheet of its own: neither the page's styles reach it nor
// ours the page. Fields in which people type lie in slots, outside of the shadow: the page leaves
// keys alone only where it sees a field.

import { app } from "../../../scripts/app.js"
import { chain, follow } from "./nodes.js"

// panels by the node that has them; a page may go on to show that of a node which is gone
/** @type {Map<HTMLElement, any>} */
const shown = new Map()

// panels, and what is done when the page has other colours: its root and its body tell of those
/** @type {Map<HTMLElement, (() => void) | undefined>} */
const painted = new Map()
const told = { attributes: true, attributeFilter: ["class", "style"] }
let colours = ""
const inkOfPage = () => getComputedStyle(document.documentElement).getPropertyValue("--input-text")
const repaint = new MutationObserver(() => {
  // they also change with every drag
  const now = inkOfPage()
  if (now === colours) return
  colours = now
  painted.forEach((recoloured, element) => {
    lighten(element)
    recoloured?.()
  })
})
for (const element of [document.documentElement, document.body]) repaint.observe(element, told)

// whether somebody is dragging something, such as a node's corner
let pressed = false
for (const kind of ["pointerdown", "pointerup", "pointercancel"])
  window.addEventListener(kind, () => (pressed = kind === "pointerdown"), true)

const SHEET = `
  :host { display: block; box-sizing: border-box; width: 100%; height: 100%; overflow: hidden;
    color: var(--hf-text); font: 12px/1.35 var(--hf-font, system-ui, sans-serif);
    --hf-text: var(--input-text, #ddd); --hf-ground: var(--comfy-input-bg, #222);
    --hf-line: var(--border-color, #4e4e4e);
    --hf-quiet: color-mix(in srgb, var(--hf-text) 90%, var(--descrip-text, #aaa)); }
  *, *::before, *::after { box-sizing: border-box; }
  button, select { font: inherit; color: var(--hf-text); background: var(--hf-ground);
    border: 1px solid var(--hf-line); border-radius: 4px; padding: 2px 8px; cursor: pointer; }
  button:disabled { opacity: .6; cursor: default; }
  :host { --hf-focus: #6ab0ff; } :host(.light) { --hf-focus: #1d5fa8; }
  :focus-visible, ::slotted(:focus-visible) { outline: 2px solid var(--hf-focus) !important; outline-offset: 1px; }
  ::slotted(:focus-visible) { outline-offset: -2px !important; }
`

/**
 * Add a panel under a node's widgets; it is neither saved nor sent.
 * @param {any} node
 * @param {string} name of its widget, of one's own
 * @param {{label: string, height: number | (() => number), sheet?: string, recoloured?: () => void}} how
 *     label: what it is, for those who do not see it; height: the least, in pixels; sheet: styles of
 *     what is in it, where :host(.light) has dark words; recoloured: called when the page has other
 *     colours
 * @returns {{root: ShadowRoot, element: HTMLElement, widget: any, fit: () => void, giveBack: (room: number) => void} | null}
 *     null where a page has no such widgets; fit: call it when the height has changed; giveBack:
 *     when so many pixels are not needed any more
 */
export function addPanel(node, name, { label, height, sheet = "", recoloured }) {
  if (typeof node.addDOMWidget !== "function") return null
  const element = document.createElement("div")
  element.dataset.panel = name
  element.setAttribute("role", "group")
  element.setAttribute("aria-label", label)
  const root = element.attachShadow({ mode: "open" })
  const styles = new CSSStyleSheet()
  styles.replaceSync(SHEET + sheet)
  root.adoptedStyleSheets = [styles]
  // a drag in it is not one of the node
  for (const kind of ["pointerdown", "dblclick", "contextmenu"])
    element.addEventListener(kind, event => event.stopPropagation())
  colours ||= inkOfPage()
  painted.set(element, recoloured)
  const least = () => (typeof height === "function" ? height() : height)
  const widget = node.addDOMWidget(name, "HEAD_FORCING_PANEL", element, {
    serialize: false,
    hideOnZoom: false,
    getMinHeight: least,
    getValue: () => undefined,
    setValue() {},
  })
  widget.serialize = false
  widget.options.serialize = false
  const fit = () => {
    const [width, tall] = node.size, wanted = node.computeSize?.() ?? node.size
    if (wanted[1] > tall || wanted[0] > width)
      node.setSize?.([Math.max(width, wanted[0]), Math.max(tall, wanted[1])])
    noted(node)
  }
  const giveBack = room => {
    if (room <= 0) return
    node.setSize?.([node.size[0], Math.max(node.size[1] - room, node.computeSize?.()[1] ?? 0)])
    noted(node)
  }
  fit()
  // a workflow that was saved without the panel has less room
  chain(node, "onConfigure", fit)
  chain(node, "onRemoved", () => painted.delete(element))
  chain(node, "onAdded", () => painted.set(element, recoloured))
  shown.set(element, { node, graph: null })
  follow(node, () => [element.isConnected, node.graph.id], ([there, graph]) => {
    shown.set(element, { node, graph })
    lighten(element)
    if (!there) takePlace(node, name, element)
  })
  // a field that grows with its words is laid out a moment after it was edited
  follow(node, () => Array.from(node.size), () => pressed || noted(node))
  return { root, element, widget, fit, giveBack }
}

function lighten(element) {
  const [red, green, blue] = getComputedStyle(element).color.match(/[\d.]+/g)?.map(Number) ?? [255, 255, 255]
  element.classList.toggle("light", 0.3 * red + 0.6 * green + 0.1 * blue < 128)
}

/**
 * Let the page know the room that a node takes. It is nobody's edit: were it noted later, the first
 * undo would undo that.
 * @param {any} node
 */
export function noted(node) {
  const { activeState } = app.extensionManager?.workflow?.activeWorkflow?.changeTracker ?? {}
  const before = activeState?.nodes?.find(one => String(one.id) === String(node.id))
  if (!before || node.graph !== (app.rootGraph ?? app.graph)) return
  before.size = Array.from(node.size)
  if (node.showAdvanced !== undefined) before.showAdvanced = node.showAdvanced
}

// Undo makes a node anew, under its number: where elements are drawn, the page keeps what it showed.
function takePlace(node, name, element) {
  for (const [other, { node: owner, graph }] of shown) {
    if (owner === node || owner.graph?.getNodeById?.(owner.id) === owner) continue
    const sameNode = String(owner.id) === String(node.id) && graph === node.graph.id
    const isSame = sameNode && other.dataset.panel === name
    if (other.isConnected && isSame) other.replaceWith(element)
    if (!other.isConnected) shown.delete(other)
  }
}

/**
 * Make an element.
 * @param {string} tag
 * @param {Record<string, any>} [set] properties; what begins with aria- or data-, and role: attributes
 * @param {...(Node | string)} inside
 * @returns {any}
 */
export function made(tag, set = {}, ...inside) {
  const element = document.createElement(tag)
  for (const [name, value] of Object.entries(set))
    if (/^(aria-|data-|role$)/.test(name)) element.setAttribute(name, value)
    else element[name] = value
  element.append(...inside)
  return element
}

/**
 * Add a field to a panel. It lies in a slot, and is styled by itself.
 * @param {{root: ShadowRoot, element: HTMLElement}} panel
 * @param {"input" | "textarea"} tag
 * @param {string} slot its name
 * @param {string} label
 * @returns {{slot: HTMLSlotElement, field: any}} put the slot where the field is to be
 */
export function addField(panel, tag, slot, label) {
  const field = made(tag, { slot, "aria-label": label, placeholder: label })
  Object.assign(field.style, {
    width: "100%", boxSizing: "border-box", font: "inherit", color: "var(--input-text, #ddd)",
    background: "var(--comfy-input-bg, #222)", border: "1px solid var(--border-color, #4e4e4e)",
    borderRadius: "4px", padding: "3px 6px", resize: "none",
  })
  panel.element.append(field)
  return { slot: made("slot", { name: slot }), field }
}
