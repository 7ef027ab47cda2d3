// A schedule written down: the text of prompts, in the form that they were written in.
//
// Whether a text is read as it was meant is for Python to say: there are several texts, the most
// like the former first, and whoever writes one asks before. The last is read whatever the words.

import { asData, listed, safe } from "./schedule_json.js"
import { asNumber, counted, inPictures } from "./times.js"

/**
 * @typedef {{text: string, start: number | null, end: number | null, cut: boolean, at: number,
 *     from?: number}} Prompt start, end: seconds as asked for; at: as it will be; from: its number
 *     in the former text
 * @typedef {{units: string, reads: number, length: number | null}} How units: of the node; reads:
 *     pictures per second
 */

/**
 * Return texts of a schedule, the one to try first first.
 * @param {Prompt[]} prompts
 * @param {string} former the text as it was
 * @param {How} how
 * @returns {string[]}
 */
export function writings(prompts, former, how) {
  const timed = prompts.every(one => one.start !== null), text = former.trim()
  const ended = withEnds(prompts, how)
  const forms = timed
    ? [asData, keyed, at, lasting, ...lines]
    : [asData, shots, divided, plain]
  const found = forms.map(form => form(ended, text, how)).filter(one => one !== null)
  return [...new Set([...found, listed(ended)])]
}

// Every prompt ends where the next begins; of the last it is told if it was, or if all were.
function withEnds(prompts, { length }) {
  const told = prompts.some(one => one.end !== null)
  return prompts.map((one, n) => {
    if (one.start === null) return one
    const next = prompts[n + 1]
    if (next) return { ...one, end: told ? next.start : null, until: next.start }
    const own = one.end !== null && one.end > one.start ? one.end : null
    const whole = length !== null && length > one.start ? length : null
    return { ...one, end: told ? (own ?? whole) : null, until: own ?? whole }
  })
}

const KEYED = /^["'“‘]\s?[\d:.,]+[^"'”’]*["'”’]\s?[:：]/
const AT = /^\s*[\d.,:]+\s?s?\w*#?\s?@/
const LASTING = /\[\s?[\d.,]+\s?(?:s\w*)?\s?#?\s?\]\s*(?:\||\n|$)/i
const SHOT = /^\s*(\[?\s?)(shot|scene|part|clip|segment|prompt)\s?1\b(\s?\])?(\s?[:.)—])?/i

function keyed(prompts, former, how) {
  if (!KEYED.test(former) || prompts.some(one => one.cut)) return null
  const said = prompts.map(one => `"${counted(one.start, how)}": ${safe(one.text)}`)
  return said.join(former.includes("\n") ? ",\n" : ", ")
}

function at(prompts, former, how) {
  if (!AT.test(former) || prompts.some(one => one.text.includes("\n"))) return null
  const said = prompts.map(one => `${counted(one.start, how)}${one.cut ? "#" : ""}@${one.text}`)
  return said.join(former.includes("\n") || !former.includes("|") ? "\n" : " | ")
}

function lasting(prompts, former) {
  if (!LASTING.test(former) || /^\s*\[/.test(former)) return null
  const said = prompts.map((one, n) => {
    const cut = one.cut ? "#" : ""
    if (one.until === null) return cut ? null : one.text
    // the last need not say it
    if (n === prompts.length - 1 && one.end === null && !cut) return one.text
    return `${one.text} [${asNumber(one.until - one.start)}s${cut}]`
  })
  return said.includes(null) ? null : said.join(former.includes("|") ? " | " : "\n")
}

function shots(prompts, former) {
  const found = SHOT.exec(former)
  if (!found || !former.includes("\n") || prompts.some(one => one.cut)) return null
  const [, open, word, close = "", sign = ""] = found
  return prompts.map((one, n) => `${open}${word} ${n + 1}${close}${sign} ${one.text}`).join("\n")
}

function divided(prompts, former) {
  if (prompts.length < 2 || prompts.some(one => one.cut)) return null
  const lined = /\|\s*\n|\n\s*\|/.test(former)
  return prompts.map(one => one.text).join(lined ? " |\n" : " | ")
}

function plain(prompts) {
  return prompts.length === 1 && !prompts[0].cut ? prompts[0].text : null
}

// [0:10] text, in the style of the first line that has one; then in a style that is never two.
const lines = [
  (prompts, former, how) => inStyle(prompts, former, how, styleOf(former, how), true),
  (prompts, former, how) => inStyle(prompts, former, how, boxed, true),
  (prompts, former, how) => inStyle(prompts, former, how, boxed, false),
]

const STYLE =
  /^[ \t]*(?:([[(])\s?)?(\d[\d:.,]*)(\s?s\w*)?(?:\s?(:|-|–|~|to)\s?(\d[\d:.,]*)(\s?s\w*)?)?\s?#?\s?([\])])?#?(:?)/im

// A function of (begin, end, cut) in seconds, that returns null for times it cannot say.
function styleOf(former, how) {
  const found = STYLE.exec(former)
  if (!found) return boxed
  const [, open = "", one, unit, link, other, unit2, , sign] = found
  const close = { "[": "]", "(": ")" }[open] ?? ""
  // a # stands in brackets, and behind what has none
  const mark = (when, cut) => `${open}${when}${cut ? "#" : ""}${close}${open ? "" : sign || ":"}`
  // [0:10] is from 0 to 10 where prompts have ends, and a clock where they have none
  const colon = !link && one.includes(":"), isClock = Boolean(link) && one.includes(":")
  const clock = (begin, end, cut) => clocked(begin, end, cut, link, mark)
  if (isClock) return clock
  if (unit || unit2) return (begin, end, cut) => mark(ranged(begin, end, link), cut)
  const bare = colon ? ":" : (link ?? "-")
  return (begin, end, cut) => {
    if (colon && end === null) return clock(begin, end, cut)
    // whole numbers: 0:10.25 is a clock
    const [from, to] = [begin, end].map(time => unsaid(time, how, bare === ":"))
    if (from === null || (end !== null && to === null)) return null
    return mark(end === null ? from : `${from}${bare === "to" ? " to " : bare}${to}`, cut)
  }
}

function boxed(begin, end, cut) {
  return `[${ranged(begin, end)}${cut ? "#" : ""}]`
}

function ranged(begin, end, link = "-") {
  const sign = !link || link === ":" ? "-" : link === "to" ? " to " : link
  return end === null ? `${asNumber(begin)}s` : `${asNumber(begin)}${sign}${asNumber(end)}s`
}

function clocked(begin, end, cut, link, mark) {
  const times = [begin, ...(end === null ? [] : [end])].map(second => {
    if (Math.abs(second - Math.round(second)) > 1e-6) return null
    const whole = Math.round(second)
    return `${String(Math.floor(whole / 60)).padStart(2, "0")}:${String(whole % 60).padStart(2, "0")}`
  })
  return times.includes(null) ? null : mark(times.join(link === "to" ? " to " : "-"), cut)
}

function unsaid(time, how, whole) {
  if (time === null) return null
  const number = how.units === "frames" ? inPictures(time, how) : Number(asNumber(time))
  return number === null || (whole && !Number.isInteger(number)) ? null : String(number)
}

function inStyle(prompts, former, how, style, headed) {
  const heading = headed ? headingOf(prompts, former) : ""
  const said = prompts.map(one => {
    const mark = style(one.start, one.end, one.cut)
    if (mark === null) return null
    return `${mark} ${heading ? one.text.slice(heading.flat.length + 1) : one.text}`
  })
  if (said.includes(null)) return null
  const one = former.includes("\n") || !former.includes("|") ? "\n" : " | "
  return (heading ? `${heading.lines}\n` : "") + said.join(one)
}

// Lines in front of the first time stand in front of every prompt: they are written once.
function headingOf(prompts, former) {
  const all = former.split("\n"), first = all.findIndex(line => /^\s*[[(]?\d/.test(line))
  if (first < 1) return ""
  const text = all.slice(0, first).join("\n").trim(), flat = text.split(/\s+/).join(" ")
  return prompts.every(one => one.text.startsWith(`${flat} `)) ? { lines: text, flat } : ""
}
