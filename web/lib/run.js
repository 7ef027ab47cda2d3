// The record of a run: news merged into it, what of it is where on a strip, numbers in words.

/**
 * @typedef {{chunk: number, second: number, kept: boolean, prompt: number,
 *     took: number | null, picture: string | null}} Chunk
 * @typedef {{measure: string, out: boolean, left: number | null, back: number | null,
 *     said: string}} Light
 * @typedef {{run: number, prompt_id: string, node: string, workflow: string | null, state: string,
 *     said: string, chunks: number, done: number, resumed: number, every: number, step: number,
 *     steps: number | null, fps: number, speed: number | null, left: number | null,
 *     cache_bytes: number, lights: Light[], strip: Chunk[], steered: Receipt[]}} Run
 * @typedef {{chunk: number, of: number, second: number, text: string, cut: boolean,
 *     schedule: string | null, planned: string | null, schedule_node: string}} Receipt of a prompt that a
 *     chunk took; the last has the schedule that ran, and the one before it
 */

/**
 * Return a record with a piece of news in it.
 * @param {Run | null} run
 * @param {any} news a record without strip; chunk: what is new of a chunk; begun: it is a new run;
 *     steered: all receipts, where one is new
 * @returns {Run | null} null: the news is of a run whose beginning is not known; ask for it
 */
export function merged(run, news) {
  const { chunk, begun, ...now } = news
  const same = run !== null && run.run === news.run
  if (!same && !begun) return null
  const strip = same ? [...run.strip] : []
  if (chunk) {
    const at = strip.findIndex(one => one.chunk === chunk.chunk)
    if (at >= 0) strip[at] = { ...strip[at], ...chunk }
    // of a chunk that was let go only the picture is new
    else if ("second" in chunk) strip.push(chunk)
  }
  const steered = now.steered ?? (same ? run.steered ?? [] : [])
  return { ...now, steered, strip: thinned(strip, now.every, now.done) }
}

/**
 * Return the chunks that stay; the newest does.
 * @param {Chunk[]} strip
 * @param {number} every
 * @param {number} newest
 */
export function thinned(strip, every, newest) {
  return strip.filter(one => (one.chunk - 1) % every === 0 || one.chunk === newest)
}

/**
 * Return the number of the chunk at a place of the strip.
 * @param {number} x from its left end
 * @param {number} width
 * @param {number} chunks of the whole video
 */
export function chunkAt(x, width, chunks) {
  return Math.min(chunks, Math.max(1, 1 + Math.floor((x / Math.max(1, width)) * chunks)))
}

/**
 * Return what is known of a chunk, or of the nearest before it that is.
 * @param {Chunk[]} strip
 * @param {number} chunk
 * @returns {Chunk | null}
 */
export function nearest(strip, chunk) {
  return strip.findLast(one => one.chunk <= chunk) ?? strip[0] ?? null
}

/**
 * Return the newest chunk whose picture is there, which comes a moment after its numbers; while
 * there is none, the newest.
 * @param {Chunk[]} strip
 * @returns {Chunk | null}
 */
export function newest(strip) {
  return strip.findLast(one => one.picture) ?? strip.at(-1) ?? null
}

/**
 * Return the pictures of the strip: as many as there is room for, none over what is not made.
 * @param {Run} run
 * @param {number} width of the strip
 * @param {number} wide of a picture, at least
 * @returns {{x: number, width: number, chunk: Chunk}[]}
 */
export function tiles(run, width, wide) {
  const count = Math.max(1, Math.min(run.chunks, Math.floor(width / wide)))
  const each = width / count, made = (run.done / run.chunks) * width
  const found = []
  for (let at = 0; at < count; at++) {
    const x = at * each
    if (x >= made - 1e-6) break
    const middle = Math.min(chunkAt(x + each / 2, width, run.chunks), run.done)
    const chunk = nearest(run.strip, middle)
    if (chunk) found.push({ x, width: Math.min(each, made - x), chunk })
  }
  return found
}

/**
 * Return what the drift lights come to.
 * @param {Light[]} lights
 * @returns {{out: Light[], back: Light[], ok: number}}
 */
export function lit(lights) {
  const out = lights.filter(light => light.out)
  const back = lights.filter(light => !light.out && light.left !== null)
  return { out, back, ok: lights.length - out.length - back.length }
}

/**
 * @param {number} bytes
 * @returns {string} such as "3.2 MiB"
 */
export function bytesText(bytes) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"]
  let at = 0, value = bytes
  while (value >= 1024 && at < units.length - 1) [value, at] = [value / 1024, at + 1]
  return `${at === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[at]}`
}

/**
 * @param {number} seconds
 * @returns {string} such as "8 s", "2:05" or "1:02:05"
 */
export function timeText(seconds) {
  const whole = Math.max(0, Math.round(seconds))
  if (whole < 60) return `${whole} s`
  const two = number => String(number).padStart(2, "0")
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60]
  return hours ? `${hours}:${two(minutes)}:${two(rest)}` : `${minutes}:${two(rest)}`
}

/**
 * @param {number} value
 * @returns {string} with as few digits as it needs: "0.75", "12", "3.1"
 */
export function plain(value) {
  return String(Number(value.toFixed(value < 10 ? 2 : 1)))
}
