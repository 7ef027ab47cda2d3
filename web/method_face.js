// Cache Method on the page: what each type of head reads late in the video, and what it costs.

import { app } from "../../scripts/app.js"
import { ask } from "./face/ask.js"
import { follow, onNode } from "./face/nodes.js"
import { addPanel, made } from "./face/panel.js"
import { say } from "./face/words.js"
import { source, targets, upstream, valueOf } from "./lib/graph.js"
import { axisOf, boxesOf, countsOf, isFrames, sizeOf } from "./lib/reading.js"

const SAMPLER = "HeadForcingSampler", DEMO = "HeadForcingLoadDemo"
const MAP = "HeadForcingLoadHeadMap", PROFILE = "HeadForcingProfileHeads"
const SVG = "http://www.w3.org/2000/svg", WAIT = 200, STRIP = 18, PAD = 6
// in pixels: how wide a new node is, and how tall its drawing may become before it scrolls
const WIDE = 360, LEAST = 120, MOST = 420
const SHEET = `
  .all { padding: ${PAD}px 8px; height: 100%; position: relative; overflow: auto; }
  .row { margin-bottom: 5px; } .line { display: flex; gap: 6px; align-items: baseline; }
  .line { flex-wrap: wrap; } .line span { overflow-wrap: anywhere; }
  .letter { flex: none; width: 15px; text-align: center; border-radius: 3px; color: #111; font-weight: 600; }
  .count { margin-left: auto; color: var(--hf-quiet); flex: none; }
  .parts, .quiet { color: var(--hf-quiet); font-size: 11px; }
  .wrong { color: var(--hf-text); border-left: 3px solid #e69f00; padding-left: 6px; }
  svg { display: block; overflow: visible; width: 100%; height: ${STRIP}px; } p { margin: 4px 0 0; }
  .gap { stroke: var(--hf-quiet); stroke-dasharray: 2 3; }
  text { fill: var(--hf-quiet); font-size: 9px; text-anchor: middle; }
`

onNode("HeadForcingCacheMethod", "HeadForcing.MethodFace", addFace)

function addFace(node) {
  let tall = LEAST
  const panel = addPanel(node, "head_forcing_reading", { label: say("method.label"), height: () => tall, sheet: SHEET })
  if (panel === null) return
  node.setSize?.([Math.max(node.size[0], WIDE), node.size[1]])
  const all = made("div", { className: "all", tabIndex: 0, role: "region", "aria-label": say("method.label") })
  panel.root.append(all)
  let asked = 0, timer, shown = null
  const show = fresh => {
    // a node that somebody made taller stays so while it is made wider
    const snug = node.size[1] <= (node.computeSize?.()[1] ?? 0) + 1, before = tall
    draw(all, shown)
    tall = Math.min(Math.max(heightOf(all) + 2 * (panel.widget.margin ?? 0), LEAST), MOST)
    if (tall > before) panel.fit()
    else if (fresh || snug) panel.giveBack(before - tall)
  }
  new ResizeObserver(() => shown && show(false)).observe(all)
  follow(node, () => questionOf(node), ({ question, why }) => {
    clearTimeout(timer)
    timer = setTimeout(async () => {
      const number = ++asked, { ok, said } = await ask("method", question)
      // an answer to an older question is none
      if (number !== asked) return
      shown = ok ? { ...said, why } : null
      if (ok) show(true)
      else all.replaceChildren(made("p", { className: "wrong", role: "alert" }, said.error))
    }, WAIT)
  })
}

// The height of all that is drawn, whether there is room for it or not.
function heightOf(all) {
  const last = all.lastElementChild
  return last === null ? 0 : Math.ceil(last.offsetTop + last.offsetHeight + PAD)
}

// What is asked of Python; why: what the page cannot know before a run.
function questionOf(node) {
  const settings = {}
  for (const { name, value } of node.widgets ?? [])
    if (name?.startsWith("method.")) settings[name.slice(7)] = value
  const question = { method: String(valueOf(node, "method") ?? ""), settings }
  const samplers = targets(node, 0).map(({ node }) => node).filter(({ type }) => type === SAMPLER)
  if (!samplers.length) return { question, why: "unconnected" }
  const [sampler] = samplers
  question.family = valueOf(sampler, "family")
  const model = modelOf(sampler)
  if (model === null) return { question, why: "model" }
  Object.assign(question, model)
  const linked = name => sampler.inputs?.some(one => one.name === name && one.link != null)
  if (linked("start") || linked("size")) return { question, why: "size" }
  for (const name of ["seconds", "width", "height"]) question[name] = valueOf(sampler, name)
  if ([question.seconds, question.width, question.height].includes(undefined)) return { question, why: "size" }
  const own = source(sampler, "head_map")?.node
  if (own) {
    delete question.brings
    if (own.type === MAP) question.head_map = valueOf(own, "file")
    else Object.assign(question, { head_map: null, measured: true })
  }
  return { question, why: samplers.length > 1 ? "several" : null }
}

// The model that a sampler is fed with, as far as its loader tells; null: only a run knows.
function modelOf(sampler) {
  const found = {}
  const loader = upstream(sampler, "model", node => {
    if (node.type === PROFILE && !found.head_map) found.measured = true
    if (node.type === MAP && !found.measured && !found.head_map)
      Object.assign(found, { head_map: valueOf(node, "file"), brings: true })
    return node.type === DEMO || fileOf(node) !== undefined
  })
  if (!loader) return null
  if (loader.type === DEMO) return { ...found, demo: true }
  const family = valueOf(loader, "family")
  const told = { ...found, file: fileOf(loader), dtype: valueOf(loader, "weight_dtype") }
  return family && family !== "auto" ? { family, ...told } : told
}

function fileOf(node) {
  return valueOf(node, "model_name") ?? valueOf(node, "unet_name")
}

function draw(all, told) {
  const width = Math.max(all.clientWidth - 16, 120)
  const x = told.rows.length ? axisOf(told.rows, told.start, told.stop, width) : null
  const kinds = Object.fromEntries(told.types.map(one => [one.type, one]))
  const rows = told.rows.map(row => drawn(row, kinds[row.type], told, x, width))
  if (told.undrawn) rows.push(made("p", { className: "wrong" }, told.undrawn))
  all.replaceChildren(...rows, ...costs(told), made("p", {}, told.says))
  if (told.looks) all.append(made("p", { className: "quiet" }, say("method.looks")))
  app.canvas?.setDirty?.(true, true)
}

function drawn(row, { letter, colour }, told, x, width) {
  const ground = colour === "#222222" ? "#999999" : colour
  const bytes = told.cost?.caches?.[row.type], heads = told.cost?.heads?.[row.type]
  const cost = bytes === undefined ? "" : ` · ${say("method.heads", { n: heads, size: sizeOf(bytes) })}`
  const parts = countsOf(row).map(({ part, kind, pages }) =>
    `${pages} ${say(kind === "frame" ? `method.${part}` : `method.${kind}`)}`)
  const now = told.stop - told.start
  const words = [...parts, say("method.now", { n: now })].join(" + ")
  const swatch = made("span", { className: "letter", "aria-hidden": "true" }, letter)
  swatch.style.background = ground
  const said = `${row.type}: ${words}${cost}. ${row.skipped.map(skip => say("method.skipped", { n: skip[1] - skip[0] + 1 })).join(" ")}`
  const picture = strip(row, told, x, width, ground)
  picture.setAttribute("aria-label", said)
  return made("div", { className: "row" },
    made("div", { className: "line" }, swatch, made("span", {}, row.type),
      made("span", { className: "count" }, `${row.pages} + ${now}${cost}`)),
    picture, made("div", { className: "parts" }, row.by_frame ? `${words} (${say("method.by_frame")})` : words))
}

function strip(row, told, x, width, colour) {
  const svg = shape("svg", { viewBox: `0 0 ${width} ${STRIP}`, role: "img" })
  for (const [first, last] of row.skipped) {
    const [a, b] = [x(first), x(last + 1)], middle = STRIP / 2
    svg.append(shape("line", { class: "gap", x1: a + 1, x2: b - 1, y1: middle, y2: middle }))
    if (b - a > 22) svg.append(shape("text", { x: (a + b) / 2, y: middle - 2 }, String(last - first + 1)))
  }
  for (const { piece, left, width: wide, lane, lanes } of boxesOf(row, x)) {
    const tall = (STRIP - 2) / lanes, top = 1 + lane * tall
    const box = { y: top, height: Math.max(tall - 1, 1), fill: colour }
    const single = isFrames(piece), each = single ? wide / piece.pages : wide
    const where = `${piece.first}-${piece.last}: ${say(piece.kind === "frame" ? `method.${piece.part}` : `method.${piece.kind}`)}`
    for (let n = 0; n < (single ? piece.pages : 1); n++) {
      const one = shape("rect", { ...box, x: left + n * each, width: Math.max(each - (each > 3 ? 1 : 0), 0.5) })
      // what is made of several is paler
      if (!single) one.setAttribute("fill-opacity", "0.55")
      one.append(shape("title", {}, where))
      svg.append(one)
    }
  }
  const from = x(told.start)
  const now = shape("rect", { x: from + 0.5, y: 1.5, width: Math.max(width - from - 1, 1), height: STRIP - 3, fill: "none", stroke: colour, "stroke-width": 2 })
  now.append(shape("title", {}, say("method.now", { n: told.stop - told.start })))
  svg.append(now)
  return svg
}

function costs({ cost, why, undrawn }) {
  const said = []
  if (cost?.refused && cost.refused === undrawn) cost = null
  if (cost?.refused) said.push(made("p", { className: "wrong", role: "alert" }, cost.refused))
  else if (cost) {
    const ratio = `${((100 * cost.bytes) / cost.own).toPrecision(3)} %`
    said.push(made("p", { "data-bytes": cost.bytes }, say("method.caches", { size: sizeOf(cost.bytes), ratio, own: sizeOf(cost.own), number: cost.number })))
    if (cost.heads_from === "shares") said.push(made("p", { className: "quiet" }, say("method.shares")))
  }
  if (why) said.push(made("p", { className: "quiet" }, say(`method.${why}`)))
  return said
}

function shape(tag, set, text = "") {
  const element = document.createElementNS(SVG, tag)
  for (const [name, value] of Object.entries(set)) element.setAttribute(name, String(value))
  if (text) element.append(text)
  return element
}
