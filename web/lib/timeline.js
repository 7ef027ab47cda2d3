// What is done to a timeline: every edit gives the prompts that are wanted, or null where it cannot
// be done. Where chunks begin is Python's to say; here is only which of those is near.

/** @typedef {import("./schedule_text.js").Prompt} Prompt */
/**
 * @typedef {{prompts: Prompt[], edges: number[] | null, length: number | null}} Timeline in seconds;
 *     edges: where chunks begin, of which the first is 0; null: not known
 */

/** Least seconds between prompts where chunks are not known. */
export const APART = 0.25

/**
 * Whether prompts have a place: their times are told, or the video is known that they share.
 * @param {Timeline} line
 * @returns {boolean}
 */
export function isPlaced(line) {
  return line.prompts.every(one => one.at !== null)
}

/**
 * Return where each prompt begins, and where all end, in what is drawn.
 * @param {Timeline} line
 * @returns {number[]} one more than there are prompts; in parts where prompts have no place
 */
export function bounds(line) {
  if (!line.prompts.length) return [0]
  if (!isPlaced(line)) return [...line.prompts.keys(), line.prompts.length]
  const starts = line.prompts.map(one => one.at), last = starts.at(-1)
  if (line.length !== null && line.length > last) return [...starts, line.length]
  const end = line.prompts.at(-1).end
  const wide = starts.length > 1 ? last / (starts.length - 1) : 5
  return [...starts, end !== null && end > last ? end : last + wide]
}

/**
 * Return the chunk start nearest to a second, of those within bounds; of two the later.
 * @param {number[]} edges ascending
 * @param {number} second
 * @param {number} [low]
 * @param {number} [high]
 * @returns {number | null} null: there is none
 */
export function nearest(edges, second, low = -Infinity, high = Infinity) {
  let found = null
  for (const edge of edges)
    if (edge >= low - 1e-9 && edge <= high + 1e-9)
      if (found === null || Math.abs(edge - second) <= Math.abs(found - second) + 1e-9) found = edge
  return found
}

/**
 * Return where a prompt begins if its edge is dragged to a second: between those beside it.
 * @param {Timeline} line
 * @param {number} n number of the prompt; the first begins with the video
 * @param {number} second
 * @returns {number | null} null: it cannot be moved
 */
export function dragged(line, n, second) {
  if (n < 1 || n >= line.prompts.length || !isPlaced(line)) return null
  const ends = bounds(line), low = ends[n - 1], high = ends[n + 1]
  if (line.edges === null) {
    const found = Math.round(second * 100) / 100
    return Math.min(Math.max(found, low + APART), Math.max(high - APART, low + APART))
  }
  return nearest(line.edges.filter(edge => edge > low + 1e-9 && edge < high - 1e-9), second)
}

/**
 * Return the next place for an edge, so many chunks on.
 * @param {Timeline} line
 * @param {number} n
 * @param {number} steps below 0: back
 * @returns {number | null}
 */
export function stepped(line, n, steps) {
  const at = line.prompts[n]?.at
  if (at == null) return null
  if (line.edges === null) return dragged(line, n, at + steps * APART)
  const here = line.edges.findIndex(edge => Math.abs(edge - at) < 1e-6)
  const to = line.edges[Math.min(Math.max(here + steps, 0), line.edges.length - 1)]
  const found = dragged(line, n, to)
  return found === null || Math.abs(found - at) < 1e-9 ? null : found
}

/** @param {Timeline} line @param {number} n @param {number} second */
export function withEdge(line, n, second) {
  const to = dragged(line, n, second)
  if (to === null || Math.abs(to - line.prompts[n].at) < 1e-9) return null
  return finished(line, timed(line).map((one, k) => (k === n ? { ...one, start: to, at: to } : one)))
}

/** @param {Timeline} line @param {number} n @param {string} words */
export function withWords(line, n, words) {
  const text = words.trim()
  if (text === "" || text === line.prompts[n]?.text) return null
  return numbered(line).map((one, k) => (k === n ? { ...one, text } : one))
}

/**
 * Make a join a cut, or none.
 * @param {Timeline} line
 * @param {number} n number of the prompt behind it; the first has none in front
 * @param {string | null} words that begin a cut by themselves
 */
export function withCut(line, n, words) {
  const one = line.prompts[n]
  if (n < 1 || one === undefined || !isPlaced(line)) return null
  const bare = words && one.text.startsWith(words.trim()) ? one.text.slice(words.trim().length) : null
  const changed = one.cuts ?? one.cut
    ? { cut: false, text: bare === null ? one.text : bare.trim() }
    : { cut: true }
  if (changed.text === "") return null
  return timed(line).map((other, k) => (k === n ? { ...other, ...changed, cuts: !(one.cuts ?? one.cut) } : other))
}

/**
 * Divide a prompt in two at the chunk in its middle.
 * @param {Timeline} line
 * @param {number} n
 * @param {string} [words] of the second; its own where none are given
 */
export function divided(line, n, words) {
  const one = line.prompts[n]
  if (one === undefined) return null
  const second = { ...one, text: words ?? one.text, cut: false, cuts: false, from: undefined }
  if (!isPlaced(line)) return numbered(line).toSpliced(n + 1, 0, second)
  const ends = bounds(line), [low, high] = [ends[n], ends[n + 1]], middle = (low + high) / 2
  const at = line.edges === null
    ? high - low >= 2 * APART ? Math.round(middle * 100) / 100 : null
    : nearest(line.edges.filter(edge => edge > low + 1e-9 && edge < high - 1e-9), middle)
  if (at === null) return null
  return finished(line, timed(line).toSpliced(n + 1, 0, { ...second, start: at, at }))
}

/** Take a prompt away; the one in front goes on, or what follows the first begins at 0. */
export function without(line, n) {
  if (line.prompts.length < 2 || line.prompts[n] === undefined) return null
  const left = timed(line).toSpliced(n, 1)
  if (n === 0 && left[0].start !== null) left[0] = { ...left[0], start: 0, at: 0 }
  return finished(line, left)
}

/**
 * Put a prompt in another place; all keep how long they last.
 * @param {Timeline} line
 * @param {number} n
 * @param {number} to
 */
export function moved(line, n, to) {
  const count = line.prompts.length
  if (n === to || !line.prompts[n] || to < 0 || to >= count) return null
  const order = [...line.prompts.keys()]
  order.splice(to, 0, ...order.splice(n, 1))
  const all = numbered(line)
  // prompts without times share the video, in whatever order
  if (line.prompts.some(one => one.start === null))
    return order.map((k, place) => ({ ...all[k], at: line.prompts[place].at }))
  const ends = bounds(line)
  let at = 0
  const found = order.map((k, place) => {
    const begin = line.edges === null ? Math.round(at * 1000) / 1000 : nearest(line.edges, at)
    at += ends[k + 1] - ends[k]
    return { ...all[k], start: place ? begin : 0, at: place ? begin : 0 }
  })
  // a first chunk that is shorter may make two begin with one
  if (found.some((one, k) => k && one.at <= found[k - 1].at)) return null
  return finished(line, found)
}

function numbered(line) {
  return line.prompts.map((one, from) => ({ ...one, from }))
}

// Prompts that share the video are where they are; what has a time keeps it as it was typed.
function timed(line) {
  const all = numbered(line)
  return isPlaced(line) ? all.map(one => ({ ...one, start: one.start ?? one.at })) : all
}

// Who is last now ends as who was.
function finished(line, prompts) {
  const end = line.prompts.at(-1).end, count = prompts.length
  return prompts.map((one, n) => (n === count - 1 ? { ...one, end } : one))
}

/**
 * Whether an answer is what was wanted.
 * @param {Prompt[]} wanted
 * @param {Prompt[]} got
 * @returns {boolean}
 */
export function isAs(wanted, got) {
  return wanted.length === got.length && wanted.every((one, n) => {
    const other = got[n], same = one.text === other.text && one.cut === other.cut
    if (one.start === null) return same && other.start === null
    return same && other.start !== null && Math.abs(one.at - other.at) < 2e-3 &&
      Math.abs(one.start - other.start) < 2e-3
  })
}

/**
 * Return the seconds that a ruler names: round ones, no closer than room allows.
 * @param {number} length
 * @param {number} width in pixels
 * @param {number} [room] pixels for a name
 * @returns {number[]}
 */
export function ticks(length, width, room = 44) {
  const least = (length / Math.max(width, 1)) * room
  const steps = [0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200]
  const step = steps.find(one => one >= least) ?? 86400
  return Array.from({ length: Math.floor(length / step + 1e-9) + 1 }, (_, n) => n * step)
}

/**
 * Return chunk starts that are drawn: every one, every second, ... as they have room.
 * @param {number[]} edges
 * @param {number} length
 * @param {number} width in pixels
 * @returns {number[]}
 */
export function thinned(edges, length, width) {
  const each = (width * ((edges[1] ?? length) - edges[0])) / Math.max(length, 1e-9)
  const every = 2 ** Math.max(0, Math.ceil(Math.log2(5 / Math.max(each, 1e-9))))
  return edges.filter((_, n) => n % every === 0)
}

/** Return seconds for people: 5.25 s, 1:05.5. */
export function spoken(seconds) {
  const shown = Math.round(seconds * 100) / 100
  if (shown < 60) return `${shown} s`
  const hours = Math.floor(shown / 3600), minutes = Math.floor((shown % 3600) / 60)
  const rest = String(Math.round((shown % 60) * 100) / 100)
  const tail = rest.split(".")[0].length < 2 ? `0${rest}` : rest
  return hours ? `${hours}:${String(minutes).padStart(2, "0")}:${tail}` : `${minutes}:${tail}`
}
