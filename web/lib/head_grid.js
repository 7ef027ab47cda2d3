// Where the cells of head maps are: layers down, heads across, one map or two.

const AXIS = 22, TOP = 14, GAP = 12, TITLE = 14
const WIDEST = 26, LEAST = 6, TALLEST = 420
/** width from which a cell holds a letter; in smaller ones a mark says which type it is */
export const LETTERED = 11

/**
 * @typedef {{layers: number, heads: number, cell: number, tall: number, width: number,
 *   height: number, places: {x: number, y: number}[]}} Grid
 */

/**
 * Lay maps out in a width: beside each other where cells stay large enough, else below.
 * @param {number} layers
 * @param {number} heads
 * @param {number} width in pixels
 * @param {number} maps 1 or 2
 * @returns {Grid}
 */
export function gridOf(layers, heads, width, maps) {
  const abreast = (width - maps * AXIS - (maps - 1) * GAP) / (maps * heads)
  const beside = maps === 1 || abreast >= LEAST + 2
  const room = beside ? abreast : (width - AXIS) / heads
  const cell = Math.min(WIDEST, Math.max(1, Math.floor(room * 2) / 2))
  const tall = Math.max(Math.min(cell, LEAST), Math.min(cell, Math.floor(TALLEST / layers)))
  const one = { width: AXIS + heads * cell, height: TITLE + TOP + layers * tall }
  const places = Array.from({ length: maps }, (_, map) => ({
    x: AXIS + (beside ? map * (one.width + GAP) : 0),
    y: TITLE + TOP + (beside ? 0 : map * (one.height + GAP)),
  }))
  const across = beside ? maps : 1, down = beside ? 1 : maps
  return {
    layers, heads, cell, tall, places,
    width: across * one.width + (across - 1) * GAP,
    height: down * one.height + (down - 1) * GAP + 1,
  }
}

/**
 * Return the cell at a point.
 * @param {Grid} grid
 * @param {number} x
 * @param {number} y
 * @returns {{map: number, layer: number, head: number} | null}
 */
export function cellAt(grid, x, y) {
  for (const [map, place] of grid.places.entries()) {
    const head = Math.floor((x - place.x) / grid.cell), layer = Math.floor((y - place.y) / grid.tall)
    if (head >= 0 && head < grid.heads && layer >= 0 && layer < grid.layers)
      return { map, layer, head }
  }
  return null
}

/**
 * Return the cells on the way from one to another: a fast pointer leaves some out.
 * @param {[number, number]} from layer, head
 * @param {[number, number]} to
 * @returns {[number, number][]}
 */
export function cellsBetween(from, to) {
  const steps = Math.max(Math.abs(to[0] - from[0]), Math.abs(to[1] - from[1]))
  const part = (n, step) => Math.round(from[n] + ((to[n] - from[n]) * step) / (steps || 1))
  return Array.from({ length: steps + 1 }, (_, step) => [part(0, step), part(1, step)])
}

const MOVES = {
  ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1],
  PageUp: [-5, 0], PageDown: [5, 0], Home: [0, -Infinity], End: [0, Infinity],
}

/**
 * Return where a key leads from a cell; null if it leads nowhere at all.
 * @param {{layers: number, heads: number}} grid
 * @param {[number, number]} cell layer, head
 * @param {string} key
 * @returns {[number, number] | null}
 */
export function movedBy(grid, cell, key) {
  const move = MOVES[key]
  if (!move) return null
  const within = (value, count) => Math.min(count - 1, Math.max(0, value))
  return [within(cell[0] + move[0], grid.layers), within(cell[1] + move[1], grid.heads)]
}

/**
 * Return numbers along an axis that have room.
 * @param {number} count
 * @param {number} size of a cell, in pixels
 * @param {number} room of a number
 * @returns {number[]}
 */
export function labelled(count, size, room) {
  const step = [1, 2, 5, 10, 20, 50, 100, 200, 500].find(step => step * size >= room) ?? 1000
  return Array.from({ length: Math.ceil(count / step) }, (_, n) => n * step)
}

/**
 * Return the ink that is read best on a colour.
 * @param {string} colour #RRGGBB
 * @returns {string}
 */
export function inkOn(colour) {
  const [r, g, b] = [1, 3, 5].map(at => {
    const part = parseInt(colour.slice(at, at + 2), 16) / 255
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4
  })
  const light = 0.2126 * r + 0.7152 * g + 0.0722 * b
  return (light + 0.05) / 0.05 >= 1.05 / (light + 0.05) ? "#000000" : "#FFFFFF"
}
