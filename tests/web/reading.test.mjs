// Where frames of a method's drawing stand.

import assert from "node:assert/strict"
import { test } from "node:test"
import { axisOf, boxesOf, countsOf, sizeOf } from "../../web/lib/reading.js"

const piece = (part, first, last, frames = last - first + 1, pages = frames, kind = "frame") =>
  ({ part, kind, first, last, frames, pages })
const row = {
  type: "a", pages: 6, skipped: [[3, 49], [52, 116]],
  pieces: [piece("sink", 0, 2), piece("middle", 50, 51), piece("recent", 117, 117)],
}

test("the line goes from the first to the current frames, ascending", () => {
  const x = axisOf([row], 118, 121, 300)
  assert.equal(x(0), 0)
  assert.ok(Math.abs(x(121) - 300) < 1e-9)
  for (let f = 0; f < 121; f++) assert.ok(x(f + 1) > x(f), `at ${f}`)
})

test("frames that are read are equally wide, and gaps are shorter than their frames", () => {
  const x = axisOf([row], 118, 121, 300), unit = x(1) - x(0)
  for (const f of [2, 50, 51, 117, 120]) assert.ok(Math.abs(x(f + 1) - x(f) - unit) < 1e-9)
  assert.ok(x(50) - x(3) < 47 * unit && x(50) - x(3) > unit)
})

test("what covers each other has lanes of its own", () => {
  const means = { ...row, pieces: [piece("middle", 0, 90, 91, 1, "average"), piece("middle", 0, 90, 91, 1, "average"), piece("recent", 91, 92)] }
  const boxes = boxesOf(means, f => f)
  assert.deepEqual(boxes.map(box => [box.lane, box.lanes]), [[0, 2], [1, 2], [0, 2]])
  assert.deepEqual(boxes.map(box => [box.left, box.width]), [[0, 91], [0, 91], [91, 2]])
})

test("pages are counted by part, in the order of time", () => {
  const counted = countsOf({ ...row, pieces: [...row.pieces].reverse() })
  assert.deepEqual(counted.map(({ part, pages }) => [part, pages]), [["sink", 3], ["middle", 2], ["recent", 1]])
})

test("sizes", () => {
  assert.deepEqual([12, 2048, 3 * 2 ** 20, 1.5 * 2 ** 30].map(sizeOf), ["12 B", "2.00 KiB", "3.00 MiB", "1.50 GiB"])
})
