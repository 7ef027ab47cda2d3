// The finished chunks of a run: a strip of small pictures, and one of them larger.

import { chunkAt, nearest, newest, plain, tiles } from "../lib/run.js"
import { made } from "./panel.js"
import { say } from "./words.js"

// of a picture on the strip, at least, in pixels
const WIDE = 44

export const STRIP_SHEET = `
  .strip { position: relative; height: 40px; background: var(--hf-ground); cursor: pointer;
    border: 1px solid var(--hf-line); border-radius: 4px; overflow: hidden; touch-action: none; }
  .tile { position: absolute; top: 0; bottom: 0; overflow: hidden; border-right: 1px solid #0006; }
  .tile img { width: 100%; height: 100%; object-fit: cover; display: block; }
  .tile.kept::after { content: ""; position: absolute; inset: 0; border-bottom: 4px double #fff;
    background: repeating-linear-gradient(135deg, #000a 0 3px, #0000 3px 7px); }
  .mark { position: absolute; top: 0; bottom: 0; pointer-events: none; }
  .mark { border: 2px solid #fff; outline: 1px solid #000; min-width: 4px; }
  .large { display: flex; gap: 8px; align-items: center; min-height: 92px; }
  .large .frame { width: 150px; height: 92px; flex: none; display: grid; place-items: center;
    background: #000; color: #ddd; border-radius: 4px; overflow: hidden; }
  .large img { width: 100%; height: 100%; object-fit: contain; image-rendering: auto; }
  .large .about { white-space: pre-line; }
`

/**
 * Make a strip.
 * @returns {{elements: HTMLElement[], show: (run: import("../lib/run.js").Run | null) => void}}
 */
export function makeStrip() {
  let run = null, chosen = null
  const strip = made("div", {
    className: "strip", tabIndex: 0, role: "slider", "aria-label": say("run.strip"),
  })
  const image = made("img", { alt: "" }), frame = made("div", { className: "frame" })
  const about = made("div", { className: "about" })
  const large = made("div", { className: "large" }, frame, about)

  // null: the newest, whatever it will be
  const choose = chunk => {
    if (!run?.done) return
    chosen = chunk === null || chunk >= run.done ? null : Math.max(1, chunk)
    draw()
  }
  const under = event => {
    const { left, width } = strip.getBoundingClientRect()
    choose(chunkAt(event.clientX - left, width, run?.chunks ?? 1))
  }
  strip.addEventListener("pointerdown", event => {
    strip.setPointerCapture?.(event.pointerId)
    under(event)
  })
  strip.addEventListener("pointermove", under)
  strip.addEventListener("keydown", event => {
    const to = keyed(event.key, run, chosen)
    if (to === undefined) return
    event.preventDefault()
    event.stopPropagation()
    choose(to)
  })

  function draw() {
    const one = chosen === null ? newest(run.strip) : nearest(run.strip, chosen)
    const at = chosen ?? one?.chunk ?? run.done
    drawStrip(strip, run, at)
    const words = one === null ? "" : aboutChunk(run, one, at)
    about.textContent = words.replaceAll(" · ", "\n")
    if (one?.picture) {
      image.src = `data:image/jpeg;base64,${one.picture}`
      image.alt = say("run.chunk", { chunk: one.chunk, chunks: run.chunks })
      frame.replaceChildren(image)
    } else frame.replaceChildren(say("run.nopicture"))
    const slider = { min: 1, max: Math.max(1, run.done), now: Math.max(1, at) }
    for (const [name, value] of Object.entries(slider)) strip.setAttribute(`aria-value${name}`, value)
    strip.setAttribute("aria-valuetext", words)
  }

  return {
    elements: [strip, large],
    show(now) {
      if (now?.run !== run?.run) chosen = null
      run = now
      for (const part of [strip, large]) part.hidden = !run
      if (run) draw()
    },
  }
}

// Return the chunk a key leads to; null: the newest; undefined: it leads nowhere.
function keyed(key, run, chosen) {
  const at = chosen ?? run?.done ?? 1, page = Math.max(1, Math.round((run?.chunks ?? 1) / 10))
  return {
    ArrowLeft: at - 1, ArrowDown: at - 1, ArrowRight: at + 1, ArrowUp: at + 1,
    PageDown: at - page, PageUp: at + page, Home: 1, End: null, Escape: null,
  }[key]
}

function drawStrip(strip, run, at) {
  const width = strip.clientWidth || 360, each = 100 / run.chunks
  const shown = tiles(run, width, WIDE).map(({ x, width: wide, chunk }) => {
    const tile = made("div", { className: chunk.kept ? "tile kept" : "tile" })
    Object.assign(tile.style, { left: `${(x / width) * 100}%`, width: `${(wide / width) * 100}%` })
    const { picture } = chunk
    if (picture) tile.append(made("img", { alt: "", src: `data:image/jpeg;base64,${picture}` }))
    return tile
  })
  if (run.done) {
    const mark = made("div", { className: "mark" })
    Object.assign(mark.style, { left: `${(at - 1) * each}%`, width: `${each}%` })
    shown.push(mark)
  }
  strip.replaceChildren(...shown)
}

function aboutChunk(run, one, wanted) {
  const words = [
    say("run.chunk", { chunk: one.chunk, chunks: run.chunks }),
    say("run.second", { second: plain(one.second) }),
    say("run.prompt", { prompt: one.prompt }),
  ]
  if (one.kept) words.push(say("run.kept"))
  else if (one.took !== null) words.push(say("run.took", { took: plain(one.took) }))
  if (one.chunk !== wanted) words.push(say("run.nearest", { chunk: one.chunk }))
  return words.join(" · ")
}
