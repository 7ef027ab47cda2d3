// A head map one looks at and paints on: pointer, keys, and what is said of the head in question.

import { countsOf, differing, painted, typesAfter } from "../lib/head_edits.js"
import { cellAt, cellsBetween, gridOf, inkOn, movedBy } from "../lib/head_grid.js"
import { headWords } from "../lib/head_words.js"
import { drawMaps } from "./head_canvas.js"
import { SHEET } from "./head_map_sheet.js"
import { addPanel, made } from "./panel.js"
import { say } from "./words.js"

const word = (key, values) => say(`headMap.${key}`, values)
const NARROWEST = 320

export class HeadMapView {
  /**
   * Put a view on a node; null where the page has no place for one.
   * @param {any} node
   * @param {(edits: [number, number, number][]) => void} edited called with all edits there are
   *     after one stroke or key
   */
  static on(node, edited) {
    const view = new HeadMapView(edited)
    const height = () => Math.max(30, view.all.offsetHeight || view.expected)
    const recoloured = () => view.map && view.draw()
    const panel = addPanel(node, "head_map_view", { label: word("label"), height, sheet: SHEET, recoloured })
    if (panel === null) return null
    panel.root.append(view.all)
    view.panel = panel
    if (node.size[0] < NARROWEST) node.setSize?.([NARROWEST, node.size[1]])
    new ResizeObserver(() => view.sized(panel.element.clientWidth)).observe(panel.element)
    return view
  }

  constructor(edited) {
    this.edited = edited
    this.map = this.at = this.drag = this.brush = this.late = null
    this.edits = []
    this.both = false
    this.width = NARROWEST - 40
    this.expected = 30
    this.note = made("p", { className: "note" })
    this.kinds = made("div", { className: "kinds", role: "group", "aria-label": word("kinds") })
    this.canvas = made("canvas")
    this.field = made("div", { className: "map", tabIndex: 0, role: "application" }, this.canvas)
    this.said = made("p", { className: "said", "aria-live": "polite" })
    this.pairs = made("p", { className: "pairs" })
    const parts = [this.note, this.kinds, this.field, this.said, this.pairs]
    this.all = made("div", { className: "all" }, ...parts)
    this.follow()
  }

  /** @returns {string[]} names of the types */
  get names() {
    return this.map.kinds.map(kind => kind.name)
  }

  /** Say a sentence in place of a map. */
  tell(sentence, wrong = false) {
    this.map = this.drag = this.late = null
    this.note.textContent = sentence
    this.note.className = wrong ? "note wrong" : "note"
    for (const part of [this.kinds, this.field, this.said, this.pairs]) part.hidden = true
    this.note.hidden = false
    this.fit()
  }

  /**
   * Show a map as the route describes it.
   * @param {any} map
   * @param {{fixed: boolean}} how fixed: it cannot be edited here
   */
  show(map, { fixed }) {
    // not under a stroke
    if (this.drag) return void (this.late = [map, { fixed }])
    const other = this.map?.scheme !== map.scheme
    this.map = map
    this.edits = map.edits
    this.fixed = fixed || !map.current || !!map.refused
    if (other) this.brush = null
    if (map.types[this.at?.[0]]?.[this.at?.[1]] === undefined) this.at = null
    const notes = [
      map.refused, map.current ? null : word("stale"),
      map.beside_current === false ? word("besideStale") : null,
      fixed && map.current ? word("fixed") : null,
    ].filter(Boolean)
    this.note.textContent = notes.join(" ")
    this.note.className = map.refused || !map.current ? "note wrong" : "note"
    this.note.hidden = !notes.length
    for (const part of [this.kinds, this.field, this.said, this.pairs]) part.hidden = false
    this.field.classList.toggle("fixed", this.fixed)
    const size = { layers: map.types.length, heads: map.types[0].length }
    this.field.setAttribute("aria-label", word("field", size))
    this.draw()
  }

  sized(width) {
    if (width < 40 || Math.abs(width - this.width - 12) < 1) return
    this.width = width - 12
    if (this.map) this.draw()
  }

  draw() {
    const { map } = this
    const types = typesAfter(map.base, this.edits)
    const shown = this.edits === map.edits ? map.types : types
    const differ = differing(shown, this.names, map.beside)
    const two = map.beside.given || this.both
    this.grid = gridOf(shown.length, shown[0].length, this.width, two ? 2 : 1)
    this.shown = shown
    Object.assign(this.field.dataset, { cell: this.grid.cell, tall: this.grid.tall })
    const keys = heads => new Set((heads ?? []).map(([layer, head]) => `${layer}.${head}`))
    const doubted = keys(map.measured?.doubted)
    const mine = { types: shown, kinds: map.kinds, doubted, changed: keys(this.edits) }
    const its = { types: map.beside.types, kinds: map.beside.kinds, doubted: new Set(), changed: new Set() }
    const titles = map.beside.given ? ["here", "beside"] : ["after", "before"]
    const maps = [{ ...mine, title: two ? word(titles[0]) : map.scheme }]
    if (two) maps.push({ ...its, title: word(titles[1]) + (map.beside.alike ? "" : ` (${map.beside.scheme})`) })
    const colour = getComputedStyle(this.all).color || "#ddd"
    drawMaps(this.canvas, this.grid, maps, { differ, at: this.at, colour })
    this.legend(shown)
    this.sayPairs(differ.size, two)
    this.sayHead()
    this.fit()
  }

  fit() {
    this.expected = this.all.offsetHeight || this.expected
    this.panel?.fit()
  }

  legend(shown) {
    const counts = countsOf(shown, this.map.kinds.length)
    const told = JSON.stringify([this.names, this.brush, this.fixed, this.both, this.map.beside.given])
    if (told !== this.told) {
      this.told = told
      const held = this.kinds.getRootNode().activeElement?.dataset?.kind
      this.kinds.replaceChildren(...this.map.kinds.map((kind, n) => this.kindButton(kind, n)))
      if (!this.map.beside.given) this.kinds.append(this.bothButton())
      if (held !== undefined) this.kinds.querySelector(`[data-kind="${held}"]`)?.focus()
    }
    this.kinds.querySelectorAll(".count").forEach((each, n) => (each.textContent = String(counts[n])))
  }

  kindButton(kind, number) {
    const sign = made("span", { className: "sign", "aria-hidden": "true" }, kind.letter)
    Object.assign(sign.style, { background: kind.colour, color: inkOn(kind.colour) })
    const pressed = String(this.brush === number)
    return made(
      "button",
      {
        type: "button", title: word("brush", { type: kind.name }), disabled: this.fixed,
        "aria-pressed": pressed, "data-kind": String(number),
        onclick: () => {
          this.brush = this.brush === number ? null : number
          this.draw()
        },
      },
      sign, kind.name, made("span", { className: "count" }),
    )
  }

  // without a map beside it, the one before the edits is
  bothButton() {
    const onclick = () => {
      this.both = !this.both
      this.draw()
    }
    const how = { type: "button", title: word("bothHint"), "aria-pressed": String(this.both) }
    return made("button", { ...how, "data-kind": "both", onclick }, word("both"))
  }

  sayPairs(differ, two) {
    const { beside, pairs = beside.pairs } = this.map, all = this.shown.length * this.shown[0].length
    const lines = (two || differ) && beside.alike ? [word("differ", { count: differ, all })] : []
    if (two && !beside.alike) lines.push(word("unlike"))
    const other = pairs.filter(([mine, its]) => !beside.alike || mine !== its)
    // of strokes that Python has not counted yet nothing is said
    if ((two || differ) && this.edits === this.map.edits)
      lines.push(other.map(([mine, its, n]) => word("pair", { mine, its, count: n })).join("; "))
    this.pairs.textContent = lines.filter(Boolean).join(" ")
  }

  sayHead() {
    const { map, at } = this
    const told = at
      ? headWords({ ...map, types: this.shown }, at[0], at[1], word)
      : [word(this.fixed ? "lookHint" : "hint"), ...(map.measured ? [] : [word("unmeasured")])]
    const its = at && map.beside.given && map.beside.kinds[map.beside.types[at[0]][at[1]]].name
    if (its) told[0] += `; ${word("there", { type: its })}`
    const text = told.join("\n")
    if (this.said.textContent !== text) this.said.textContent = text
  }

  // --- pointer and keys ---

  follow() {
    const { field } = this
    field.addEventListener("pointerdown", event => this.begun(event))
    field.addEventListener("pointermove", event => this.moved(event))
    field.addEventListener("pointerup", () => this.ended())
    field.addEventListener("pointercancel", () => this.dropped())
    field.addEventListener("pointerleave", () => this.drag || this.lookAt(null))
    field.addEventListener("keydown", event => this.pressed(event))
    field.addEventListener("focus", () => this.at || (this.map && this.lookAt([0, 0])))
  }

  hit(event) {
    const box = this.canvas.getBoundingClientRect()
    const scale = this.grid.width / box.width
    const x = (event.clientX - box.left) * scale, y = (event.clientY - box.top) * scale
    return cellAt(this.grid, x, y)
  }

  begun(event) {
    if (!this.map || event.button !== 0) return
    const cell = this.hit(event)
    if (cell === null) return
    this.field.setPointerCapture?.(event.pointerId)
    this.at = [cell.layer, cell.head]
    // the map beside it is somebody else's
    if (this.fixed || cell.map !== 0) return this.draw()
    this.drag = { kind: this.brushFor(this.at), last: this.at, from: this.edits }
    this.paint([this.at])
  }

  moved(event) {
    if (!this.map) return
    const cell = this.hit(event)
    if (this.drag === null) return this.lookAt(cell && [cell.layer, cell.head])
    if (cell === null || cell.map !== 0) return
    const to = [cell.layer, cell.head]
    if (to.join() === this.drag.last.join()) return
    this.paint(cellsBetween(this.drag.last, to))
    this.drag.last = this.at = to
    this.draw()
  }

  ended() {
    if (this.drag === null) return
    this.drag = null
    this.late = null
    this.edited(this.edits)
  }

  dropped() {
    if (this.drag === null) return
    this.edits = this.drag.from
    this.drag = null
    if (this.late) this.show(...this.late)
    else this.draw()
    this.late = null
  }

  pressed(event) {
    if (!this.map || event.ctrlKey || event.metaKey || event.altKey) return
    const at = this.at ?? [0, 0], to = movedBy(this.grid, at, event.key)
    const sets = [" ", "Enter"].includes(event.key), cycles = sets && this.drag === null
    const resets = ["Delete", "Backspace"].includes(event.key)
    if (!to && !sets && !resets && event.key !== "Escape") return
    event.preventDefault()
    event.stopPropagation()
    if (to) return this.lookAt(to)
    if (event.key === "Escape") return this.escaped()
    if (this.fixed || !(cycles || resets)) return
    const kind = resets ? this.map.base[at[0]][at[1]] : this.brushFor(at)
    this.at = at
    this.paint([at], kind)
    this.edited(this.edits)
  }

  escaped() {
    if (this.drag) this.dropped()
    else if (this.brush !== null) {
      this.brush = null
      this.draw()
    } else this.field.blur()
  }

  brushFor([layer, head]) {
    return this.brush ?? (this.shown[layer][head] + 1) % this.map.kinds.length
  }

  paint(heads, kind = this.drag.kind) {
    this.edits = painted(this.edits, this.map.base, heads, kind)
    this.draw()
  }

  lookAt(at) {
    if (this.at?.join() === at?.join()) return
    this.at = at
    this.draw()
  }
}
