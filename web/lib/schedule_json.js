// A schedule as JSON, in the shape that it had.

import { asNumber, counted, inPictures } from "./times.js"

const SAYS = ["prompt", "text", "description", "caption"]
const STARTS = ["start", "time", "at", "begin", "from", "start_time", "startTime", "timestamp", "t"]
const IN_SECONDS = ["start_seconds", "end_seconds", "duration_seconds"]
const IN_PICTURES = ["frame", "start_frame", "startFrame", "frame_start", "keyframe", "end_frame",
  "endFrame", "frame_end", "num_frames", "frames"]
const ALL_STARTS = [...STARTS, "seconds", "start_seconds", "frame", "start_frame", "startFrame",
  "frame_start", "keyframe"]
const ENDS = ["end", "to", "end_time", "endTime", "end_seconds", "end_frame", "endFrame", "frame_end"]
const LASTS = ["duration", "lasts", "duration_seconds", "num_frames", "frames"]
// what nobody sees, and what ends a line elsewhere: a reader takes it out of a text
// eslint-disable-next-line no-control-regex
const UNSEEN = /[\u007f-\u009f\u200b-\u200d\u2028\u2029\u2060\ufeff]/g

/**
 * Return a text as JSON that no reader changes.
 * @param {any} value
 * @param {string | number} [indent]
 * @returns {string}
 */
export function safe(value, indent) {
  const escaped = sign => `\\u${sign.charCodeAt(0).toString(16).padStart(4, "0")}`
  return JSON.stringify(value, null, indent).replace(UNSEEN, escaped)
}

/**
 * Return a schedule that is read whatever its words are.
 * @param {import("./schedule_text.js").Prompt[]} prompts
 * @returns {string}
 */
export function listed(prompts) {
  const said = prompts.map(one => ({
    ...(one.start === null ? {} : { start_seconds: Number(asNumber(one.start)) }),
    text: one.text,
    ...(one.cut ? { cut: true } : {}),
  }))
  return safe(said, 1)
}

/**
 * Return a schedule in the shape of the JSON that it was; null if it was none.
 * @param {(import("./schedule_text.js").Prompt & {until?: number | null})[]} prompts
 * @param {string} former
 * @param {import("./schedule_text.js").How} how
 * @returns {string | null}
 */
export function asData(prompts, former, how) {
  const was = parsed(former)
  if (was === null) return null
  const name = nameOf(was), inside = name === null ? was : was[name]
  const indent = former.includes("\n") ? (/\n([ \t]+)\S/.exec(former)?.[1] ?? " ") : undefined
  const written = Array.isArray(inside)
    ? safe(inList(prompts, inside, how), indent)
    : SAYS.some(key => typeof inside[key] === "string")
      ? safe(inList(prompts, [inside], how), indent)
      : byTime(prompts, indent, how)
  return name === null ? written : `{${JSON.stringify(name)}: ${written}}`
}

function parsed(text) {
  if (!/^[[{]/.test(text)) return null
  try {
    const found = JSON.parse(text)
    return typeof found === "object" ? found : null
  } catch {
    return null
  }
}

// The one name under which all is.
function nameOf(was) {
  const keys = Array.isArray(was) ? [] : Object.keys(was)
  return keys.length === 1 && typeof was[keys[0]] === "object" && was[keys[0]] ? keys[0] : null
}

// By hand: an object of JavaScript has numbers in an order of its own.
function byTime(prompts, indent, how) {
  if (prompts.some(one => one.cut || one.start === null)) return safe(inList(prompts, [], how), indent)
  const said = prompts.map(one => `"${counted(one.start, how)}": ${safe(one.text)}`)
  return indent === undefined ? `{${said.join(", ")}}` : `{\n${indent}${said.join(`,\n${indent}`)}\n}`
}

function inList(prompts, was, how) {
  const form = was.find(one => typeof one === "object" && one) ?? {}
  const isTimed = prompts.some(one => one.start !== null)
  if (was.length && was.every(one => typeof one === "string") && !isTimed) {
    if (prompts.every(one => !one.cut)) return prompts.map(one => one.text)
  }
  return prompts.map(one => {
    const own = was[one.from ?? -1], mine = own && typeof own === "object" ? { ...own } : like(form)
    return entry(one, mine, isTimed && !ALL_STARTS.some(key => key in form), how)
  })
}

// An entry with the keys of another, and its numbering left out.
function like(form) {
  const known = [...SAYS, ...ALL_STARTS, ...ENDS, ...LASTS]
  return Object.fromEntries(Object.entries(form).filter(([key]) => known.includes(key)))
}

function entry(one, mine, startless, how) {
  const lasts = LASTS.find(key => key in mine)
  const says = SAYS.find(key => key in mine) ?? "prompt"
  const set = {}
  // where only lengths were told, they still are
  if (startless && !(lasts && one.until != null)) set.start = when("start", one.start, how)
  for (const [key, value] of Object.entries(mine)) {
    if (ALL_STARTS.includes(key)) one.start !== null && (set[key] = when(key, one.start, how, value))
    else if (ENDS.includes(key)) one.until != null && (set[key] = when(key, one.until, how, value))
    else if (key === lasts) one.until != null && (set[key] = when(key, one.until - one.start, how, value))
    else if (key !== "cut") set[key] = value
  }
  set[says] = one.text
  if (one.cut || "cut" in mine) set.cut = one.cut
  return set
}

// A time as a value of a key: a number where that is whole in what the key counts, else "2.25s".
function when(key, seconds, how, former) {
  if (typeof former === "string" && /[a-z]\s*$/i.test(former)) return `${asNumber(seconds)}s`
  const pictures = IN_PICTURES.includes(key) || (how.units === "frames" && !IN_SECONDS.includes(key))
  const number = pictures ? inPictures(seconds, how) : Number(asNumber(seconds))
  const value = number ?? `${asNumber(seconds)}s`
  return typeof former === "string" ? String(value) : value
}
