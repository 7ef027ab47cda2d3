// Head maps on a canvas: a colour and a sign for every head, frames for what is said of it.

import { LETTERED, inkOn, labelled } from "../lib/head_grid.js"

// signs in cells that hold no letter, by number of the type: lines from and to, of a cell
const MARKS = [
  [],
  [[0.2, 0.5, 0.8, 0.5]],
  [[0.5, 0.2, 0.5, 0.8]],
  [[0.2, 0.2, 0.8, 0.8], [0.2, 0.8, 0.8, 0.2]],
]
// finer than the screen: the page enlarges nodes
const FINER = 2

/**
 * @typedef {{types: number[][], kinds: {letter: string, colour: string}[], title: string,
 *   doubted: Set<string>, changed: Set<string>}} Drawn heads by "layer.head"
 */

/**
 * Draw maps on a canvas, which is given the size of their grid.
 * @param {HTMLCanvasElement} canvas
 * @param {import("../lib/head_grid.js").Grid} grid
 * @param {Drawn[]} maps
 * @param {{differ: Set<string>, at: [number, number] | null, colour: string}} more differ: heads
 *     that differ between the two; at: the cell that is looked at; colour: of words
 */
export function drawMaps(canvas, grid, maps, { differ, at, colour }) {
  const scale = FINER * (window.devicePixelRatio || 1)
  canvas.width = Math.ceil(grid.width * scale)
  canvas.height = Math.ceil(grid.height * scale)
  canvas.style.width = `${grid.width}px`
  canvas.style.height = `${grid.height}px`
  const pen = canvas.getContext("2d")
  pen.setTransform(scale, 0, 0, scale, 0, 0)
  pen.clearRect(0, 0, grid.width, grid.height)
  maps.forEach((map, number) => {
    const place = grid.places[number]
    drawAxes(pen, grid, place, colour, map.title)
    map.types.forEach((row, layer) =>
      row.forEach((kind, head) => drawCell(pen, grid, place, map, layer, head, kind)),
    )
    // above all cells: a frame lies on its neighbours
    for (const key of differ) frame(pen, grid, place, key, colour, 1.5)
    // seen on every colour that a cell may have
    if (at) frame(pen, grid, place, at.join("."), "#000", 4.5)
    if (at) frame(pen, grid, place, at.join("."), "#fff", 2)
  })
}

function drawAxes(pen, grid, place, colour, title) {
  pen.fillStyle = colour
  pen.font = "10px system-ui, sans-serif"
  pen.textBaseline = "middle"
  pen.textAlign = "left"
  pen.fillText(title, place.x, place.y - 21)
  pen.textAlign = "center"
  for (const head of labelled(grid.heads, grid.cell, 16))
    pen.fillText(String(head), place.x + (head + 0.5) * grid.cell, place.y - 7)
  pen.textAlign = "right"
  for (const layer of labelled(grid.layers, grid.tall, 11))
    pen.fillText(String(layer), place.x - 4, place.y + (layer + 0.5) * grid.tall)
}

function drawCell(pen, grid, place, map, layer, head, kind) {
  const { cell, tall } = grid, about = map.kinds[kind], key = `${layer}.${head}`
  const x = place.x + head * cell, y = place.y + layer * tall
  pen.fillStyle = about.colour
  pen.fillRect(x + 0.5, y + 0.5, cell - 1, tall - 1)
  const ink = inkOn(about.colour)
  pen.fillStyle = pen.strokeStyle = ink
  pen.lineWidth = 1
  if (Math.min(cell, tall) >= LETTERED) {
    pen.font = `${Math.min(12, tall - 2)}px system-ui, sans-serif`
    pen.textAlign = "center"
    pen.fillText(about.letter, x + cell / 2, y + tall / 2 + 0.5)
  } else {
    pen.beginPath()
    for (const [x1, y1, x2, y2] of MARKS[kind % MARKS.length]) {
      pen.moveTo(x + x1 * cell, y + y1 * tall)
      pen.lineTo(x + x2 * cell, y + y2 * tall)
    }
    pen.stroke()
  }
  if (map.doubted.has(key)) {
    pen.setLineDash([2, 2])
    pen.strokeRect(x + 1.5, y + 1.5, cell - 3, tall - 3)
    pen.setLineDash([])
  }
  if (map.changed.has(key)) {
    const side = Math.max(3, Math.min(cell, tall) * 0.35)
    pen.beginPath()
    pen.moveTo(x + cell - 0.5, y + 0.5)
    pen.lineTo(x + cell - 0.5 - side, y + 0.5)
    pen.lineTo(x + cell - 0.5, y + 0.5 + side)
    pen.fill()
  }
}

function frame(pen, grid, place, key, colour, width) {
  const [layer, head] = key.split(".").map(Number)
  pen.strokeStyle = colour
  pen.lineWidth = width
  const x = place.x + head * grid.cell, y = place.y + layer * grid.tall
  pen.strokeRect(x, y, grid.cell, grid.tall)
}
