// Where frames stand on a line from the first to the current ones, on which what nobody reads is short.

/** @typedef {{part: string, kind: string, first: number, last: number, frames: number, pages: number}} Piece */
/** @typedef {{type: string, pieces: Piece[], skipped: [number, number][], pages: number}} Row */

const SHORTEST = 1.6, PER_DOUBLING = 0.45

/**
 * Return whether a piece is frames as they are, not one page made of several.
 * @param {Piece} piece
 * @returns {boolean}
 */
export function isFrames(piece) {
  return piece.pages === piece.frames
}

/**
 * Lay out frames: each that any row reads as it is has one unit, what lies between them less.
 * @param {Row[]} rows
 * @param {number} start first frame of the current chunk
 * @param {number} stop the frame after it
 * @param {number} width in pixels
 * @returns {(frame: number) => number} where a frame begins
 */
export function axisOf(rows, start, stop, width) {
  const seen = new Set()
  for (let f = start; f < stop; f++) seen.add(f)
  for (const row of rows)
    for (const piece of row.pieces)
      if (isFrames(piece)) for (let f = piece.first; f <= piece.last; f++) seen.add(f)
  const frames = [...seen].sort((a, b) => a - b), knots = []
  let at = 0, next = 0
  for (const frame of frames) {
    if (frame > next) {
      knots.push([next, at])
      at += Math.min(frame - next, SHORTEST + PER_DOUBLING * Math.log2(frame - next))
    }
    knots.push([frame, at])
    at += 1
    next = frame + 1
  }
  knots.push([next, at])
  const unit = width / Math.max(at, 1)
  return frame => unit * between(knots, frame)
}

function between(knots, frame) {
  const after = knots.findIndex(([known]) => known >= frame)
  if (after < 0) return knots.at(-1)[1]
  if (after === 0 || knots[after][0] === frame) return knots[after][1]
  const [[a, x], [b, y]] = [knots[after - 1], knots[after]]
  return x + ((frame - a) / (b - a)) * (y - x)
}

/**
 * Return boxes of a row. Pages that are made of several frames may cover each other: each has a lane.
 * @param {Row} row
 * @param {(frame: number) => number} x
 * @returns {{piece: Piece, left: number, width: number, lane: number, lanes: number}[]}
 */
export function boxesOf(row, x) {
  const ends = []
  const placed = row.pieces.map(piece => {
    const free = ends.findIndex(end => end < piece.first)
    const lane = free < 0 ? ends.length : free
    ends[lane] = piece.last
    return { piece, left: x(piece.first), width: x(piece.last + 1) - x(piece.first), lane }
  })
  return placed.map(box => ({ ...box, lanes: Math.max(ends.length, 1) }))
}

/**
 * Return how many pages of each part and kind a row reads, in the order of time.
 * @param {Row} row
 * @returns {{part: string, kind: string, pages: number}[]}
 */
export function countsOf(row) {
  const found = new Map()
  for (const { part, kind, pages } of row.pieces) {
    const key = `${part} ${kind}`
    found.set(key, { part, kind, pages: pages + (found.get(key)?.pages ?? 0) })
  }
  const order = ["sink", "middle", "recent"]
  return [...found.values()].sort((a, b) => order.indexOf(a.part) - order.indexOf(b.part))
}

/**
 * Return a size in the unit that suits it.
 * @param {number} bytes
 * @returns {string}
 */
export function sizeOf(bytes) {
  for (const [unit, size] of [["GiB", 2 ** 30], ["MiB", 2 ** 20], ["KiB", 1024]])
    if (bytes >= size) return `${(bytes / size).toPrecision(3)} ${unit}`
  return `${bytes} B`
}
