// A timeline as it is drawn: a ruler, a bar for every prompt, an edge at every join, a field.

import { bounds, dragged, isPlaced, spoken, thinned, ticks } from "../lib/timeline.js"
import { addField, made } from "./panel.js"
import { say } from "./words.js"

// a bar is at least so wide; a schedule of many is wider than the node, and is scrolled
const LEAST = 30
const WIDEST = 12000

export const SHEET = `
  .all { display: flex; flex-direction: column; gap: 4px; height: 100%; }
  .tools { display: flex; flex-wrap: wrap; gap: 4px; align-items: center; }
  .tools button { padding: 1px 7px; }
  .said { min-height: 1.35em; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
  .note { color: var(--hf-text); max-height: 4.1em; overflow: auto; }
  .note.bad::before { content: "⚠ "; }
  .scroll { overflow-x: auto; overflow-y: hidden; flex: 0 0 auto; scrollbar-width: thin; }
  .line { position: relative; height: 66px; min-width: 100%; }
  .ruler { position: absolute; inset: 0 0 auto 0; height: 18px; color: var(--hf-text); font-size: 10px; }
  .ruler span { position: absolute; top: 0; padding-left: 2px; border-left: 1px solid var(--hf-quiet);
    height: 12px; white-space: nowrap; }
  .ruler i { position: absolute; bottom: 0; width: 1px; height: 5px; background: var(--hf-quiet); }
  .bars { position: absolute; inset: 18px 0 0 0; }
  .bar { position: absolute; top: 0; bottom: 2px; overflow: hidden; padding: 3px 4px 3px 6px; color: #fff;
    background: #2c4a6e; border: 1px solid #7fa6d6; border-radius: 4px; cursor: grab; user-select: none;
    touch-action: none; }
  .bar .words { overflow: hidden; overflow-wrap: anywhere;
    display: -webkit-box; -webkit-box-orient: vertical; -webkit-line-clamp: 2; }
  .bar.odd { background: #27566a; }
  .bar[aria-selected=true] { border: 2px solid #5a9be6; background: #eef5ff; color: #0b1f38;
    padding: 2px 3px 2px 5px; }
  .bar b { white-space: nowrap; }
  .bar:focus-visible { outline-offset: -3px; --hf-focus: #1d5fa8; }
  .bar.to { border-style: dashed; border-color: #ffd479; }
  .mark { font-weight: bold; color: #ffd479; }
  .bar[aria-selected=true] .mark { color: #8a4b00; }
  .edge { position: absolute; top: 18px; bottom: 2px; width: 9px; margin-left: -5px; cursor: ew-resize;
    touch-action: none; }
  .edge::after { content: ""; position: absolute; inset: 6px 3px; border-radius: 2px; background: #fff; opacity: .55; }
  .edge:hover::after, .edge.on::after { opacity: 1; }
  .edge.cut::after { background: #ffd479; opacity: 1; inset: 0 3px; }
  .locked .bar, .locked .edge { cursor: default; }
`

/**
 * @typedef {{choose(n: number): void, edge(n: number, second: number): void,
 *     move(n: number, to: number): void, key(event: KeyboardEvent, n: number): void,
 *     words(n: number, text: string): void, tool(name: string): void}} Acts
 */

/** A timeline in a panel. */
export class TimelineView {
  /**
   * @param {any} panel
   * @param {Acts} acts what is done when somebody does something
   */
  constructor(panel, acts) {
    this.acts = acts
    this.line = { prompts: [], edges: null, length: null }
    this.chosen = 0
    // whose words the field holds: a bar that is pressed is chosen before the field is left
    this.typed = 0
    this.reads = 16
    this.tools = {}
    const tools = made("div", { className: "tools", role: "toolbar", "aria-label": say("timeline.tools") })
    for (const name of ["add", "split", "delete", "cut", "earlier", "later"]) {
      const button = made("button", {
        type: "button", textContent: say(`timeline.${name}`), title: say(`timeline.${name}Hint`),
        onclick: () => acts.tool(name),
      })
      this.tools[name] = button
      tools.append(button)
    }
    this.ruler = made("div", { className: "ruler", "aria-hidden": "true" })
    this.bars = made("div", { className: "bars", role: "listbox", "aria-label": say("timeline.prompts"),
      "aria-orientation": "horizontal" })
    this.inner = made("div", { className: "line" }, this.ruler, this.bars)
    this.scroll = made("div", { className: "scroll" }, this.inner)
    this.said = made("div", { className: "said" })
    this.note = made("div", { className: "note", role: "status" })
    const { slot, field } = addField(panel, "textarea", "words", say("timeline.words"))
    this.field = field
    field.rows = 2
    this.all = made("div", { className: "all" }, tools, this.scroll, this.said, slot, this.note)
    panel.root.append(this.all)
    this.listen()
    new ResizeObserver(() => this.draw()).observe(this.scroll)
  }

  listen() {
    this.field.addEventListener("change", () => this.acts.words(this.typed, this.field.value))
    this.field.addEventListener("blur", () => this.tell())
    this.field.addEventListener("keydown", event => {
      event.stopPropagation()
      if (event.key === "Escape") this.field.value = this.line.prompts[this.typed]?.text ?? ""
      const done = event.key === "Escape" || (event.key === "Enter" && !event.shiftKey)
      if (!done || event.isComposing) return
      event.preventDefault()
      this.field.blur()
      this.focus()
    })
  }

  /** Show a timeline. */
  show(line, chosen, { reads, locked, note, bad }) {
    this.line = line
    this.chosen = Math.max(0, Math.min(chosen, line.prompts.length - 1))
    this.reads = reads
    this.locked = locked
    this.note.textContent = note
    this.note.hidden = note === ""
    this.note.classList.toggle("bad", bad)
    this.draw()
  }

  /** @param {number} second */
  moment(second) {
    return say("timeline.moment", { time: spoken(second), picture: Math.round(second * this.reads) })
  }

  draw() {
    const held = this.bars.contains(this.bars.getRootNode().activeElement)
    const { prompts } = this.line, ends = bounds(this.line), length = ends.at(-1) || 1
    const room = this.scroll.clientWidth || 300
    const shortest = Math.min(...prompts.map((_, n) => ends[n + 1] - ends[n]), length)
    const width = Math.max(room, Math.min((LEAST * length) / shortest, WIDEST))
    this.width = width
    this.per = width / length
    this.inner.style.width = `${width}px`
    this.all.classList.toggle("locked", this.locked)
    this.drawRuler(length, width)
    this.bars.replaceChildren(...prompts.map((one, n) => this.bar(one, n, ends)))
    this.inner.querySelectorAll(".edge").forEach(edge => edge.remove())
    this.inner.append(...prompts.slice(1).map((one, n) => this.edge(one, n + 1, ends)))
    this.tell()
    if (held) this.focus()
  }

  drawRuler(length, width) {
    const isTime = isPlaced(this.line) && this.line.prompts.length > 0
    const edges = isTime ? thinned(this.line.edges ?? [], length, width) : []
    this.ruler.replaceChildren(
      ...edges.map(edge => styled(made("i"), { left: `${edge * this.per}px` })),
      ...(isTime ? ticks(length, width) : [])
        .filter(second => second * this.per < width - 20)
        .map(second => styled(made("span", { textContent: spoken(second) }), { left: `${second * this.per}px` })),
    )
  }

  bar(one, n, ends) {
    const is = n === this.chosen
    const bar = made("div", {
      className: `bar${n % 2 ? " odd" : ""}`, role: "option", tabIndex: is ? 0 : -1,
      "aria-selected": String(is), "aria-label": this.name(n, ends), title: one.text, "data-n": String(n),
    })
    styled(bar, { left: `${ends[n] * this.per}px`, width: `${(ends[n + 1] - ends[n]) * this.per}px` })
    // clamped inside of the bar: what is clamped fills its box with the lines that it leaves out
    const words = made("div", { className: "words" }, made("b", { textContent: `${n + 1} ` }), one.text)
    if (n && one.cuts) words.prepend(made("span", { className: "mark", textContent: "# " }))
    bar.append(words)
    bar.addEventListener("keydown", event => this.acts.key(event, n))
    bar.addEventListener("focus", () => n !== this.chosen && this.acts.choose(n))
    bar.addEventListener("pointerdown", event => event.button === 0 && this.hold(event, n))
    bar.addEventListener("dblclick", () => this.field.focus())
    return bar
  }

  name(n, ends) {
    const one = this.line.prompts[n]
    const cut = n && one.cuts ? say("timeline.isCut") : ""
    const when = isPlaced(this.line)
      ? say("timeline.range", { from: this.moment(ends[n]), to: this.moment(ends[n + 1]) }) : ""
    return [`${n + 1}`, cut, when, one.text].filter(Boolean).join(", ")
  }

  edge(one, n, ends) {
    const edge = made("div", { className: `edge${one.cuts ? " cut" : ""}`, title: say("timeline.edge"),
      "aria-hidden": "true", "data-edge": String(n) })
    styled(edge, { left: `${ends[n] * this.per}px` })
    edge.addEventListener("pointerdown", event => event.button === 0 && this.pull(event, n))
    return edge
  }

  // Drag an edge: what it snaps to is shown, and nothing is written before it is let go.
  pull(event, n) {
    if (this.locked || !isPlaced(this.line)) return
    const line = this.line, first = line.prompts[n].at
    let to = first
    const moving = second => {
      const prompts = line.prompts.map((one, k) => (k === n ? { ...one, at: second } : one))
      this.line = { ...line, prompts }
      this.place()
      this.said.textContent = this.moment(second)
    }
    this.drag(event, second => {
      const found = dragged(line, n, second)
      if (found !== null) moving((to = found))
    }, kept => {
      this.line = line
      if (kept && Math.abs(to - first) > 1e-9) this.acts.edge(n, to)
      else this.draw()
    })
  }

  // Move bars to where they are, as they are.
  place() {
    const ends = bounds(this.line)
    this.bars.querySelectorAll(".bar").forEach((bar, n) =>
      styled(bar, { left: `${ends[n] * this.per}px`, width: `${(ends[n + 1] - ends[n]) * this.per}px` }))
    this.inner.querySelectorAll(".edge").forEach((edge, n) =>
      styled(edge, { left: `${ends[n + 1] * this.per}px` }))
  }

  // Choose a bar, and drag it to the place of another.
  hold(event, n) {
    if (n !== this.chosen) this.acts.choose(n)
    this.focus()
    if (this.locked) return
    const ends = bounds(this.line), from = event.clientX
    let to = n
    this.drag(event, (second, x) => {
      const over = this.line.prompts.findIndex((_, k) => second < ends[k + 1])
      to = Math.abs(x - from) < 6 ? n : over < 0 ? this.line.prompts.length - 1 : over
      this.bars.querySelectorAll(".bar").forEach((bar, k) => bar.classList.toggle("to", k === to && to !== n))
      if (to !== n) this.said.textContent = say("timeline.moving", { from: n + 1, to: to + 1 })
    }, kept => {
      if (kept && to !== n) this.acts.move(n, to)
      else this.draw()
    })
  }

  drag(event, moved, ended) {
    event.preventDefault()
    const target = this.inner, at = one => {
      const box = target.getBoundingClientRect()
      return (((one.clientX - box.left) / (box.width || 1)) * this.width) / this.per
    }
    const away = new AbortController(), how = { signal: away.signal, capture: true }
    const done = kept => {
      away.abort()
      ended(kept)
    }
    // on the window: nodes move, and are made anew
    window.addEventListener("pointermove", one => {
      one.stopPropagation()
      moved(at(one), one.clientX)
    }, how)
    window.addEventListener("pointerup", () => done(true), how)
    window.addEventListener("pointercancel", () => done(false), how)
    window.addEventListener("keydown", one => one.key === "Escape" && done(false), how)
  }

  tell() {
    const ends = bounds(this.line), one = this.line.prompts[this.chosen], { tools, chosen } = this
    this.said.textContent = one === undefined ? "" : this.name(chosen, ends)
    const text = one?.text ?? ""
    if (document.activeElement !== this.field || this.locked) {
      this.field.value = text
      this.typed = chosen
    }
    this.field.readOnly = this.locked || one === undefined
    const count = this.line.prompts.length, held = this.bars.getRootNode().activeElement
    const cannot = {
      delete: count < 2, earlier: chosen < 1, later: chosen > count - 2,
      cut: chosen < 1 || !isPlaced(this.line),
    }
    for (const [name, button] of Object.entries(tools))
      button.disabled = this.locked || one === undefined || Boolean(cannot[name])
    // a button that cannot be pressed any more does not take the keys with it
    if (held?.disabled) this.focus()
    tools.cut.setAttribute("aria-pressed", String(Boolean(chosen && one?.cuts)))
  }

  /** Focus the chosen bar. */
  focus() {
    this.bars.querySelector(`[data-n="${this.chosen}"]`)?.focus({ preventScroll: false })
  }
}

function styled(element, styles) {
  Object.assign(element.style, styles)
  return element
}
