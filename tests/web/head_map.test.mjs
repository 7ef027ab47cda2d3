// The head map's cells and edits, and where a map comes from.

import assert from "node:assert/strict"
import { test } from "node:test"
import { countsOf, differing, editsText, painted, typesAfter } from "../../web/lib/head_edits.js"
import { LETTERED, cellAt, cellsBetween, gridOf, inkOn, labelled, movedBy } from "../../web/lib/head_grid.js"
import { madeOf, placeOf } from "../../web/lib/map_place.js"

const KINDS = ["hf.local", "hf.anchor", "hf.memory"]

for (const [layers, heads] of [[4, 4], [30, 12], [40, 40]])
  for (const width of [300, 480, 1000])
    for (const maps of [1, 2])
      test(`${maps} of ${layers} x ${heads} in ${width} are seen and hit`, () => {
        const grid = gridOf(layers, heads, width, maps)
        assert.ok(grid.width <= width && grid.cell >= 6 && grid.tall >= 6)
        grid.places.forEach(({ x, y }, map) => {
          for (const [layer, head] of [[0, 0], [layers - 1, heads - 1], [1, 2]]) {
            const middle = [x + (head + 0.5) * grid.cell, y + (layer + 0.5) * grid.tall]
            assert.deepEqual(cellAt(grid, ...middle), { map, layer, head })
          }
          assert.equal(cellAt(grid, x - 1, y + 1), null)
          assert.ok(x + heads * grid.cell <= grid.width && y + layers * grid.tall <= grid.height)
        })
      })

test("a small map's cells hold letters", () => {
  assert.ok(gridOf(30, 12, 320, 1).cell >= LETTERED)
})

test("a fast drag leaves no cell out", () => {
  assert.deepEqual(cellsBetween([0, 0], [0, 3]), [[0, 0], [0, 1], [0, 2], [0, 3]])
  assert.deepEqual(cellsBetween([2, 2], [0, 0]), [[2, 2], [1, 1], [0, 0]])
  assert.deepEqual(cellsBetween([1, 1], [1, 1]), [[1, 1]])
})

test("keys stay on the map", () => {
  const grid = { layers: 3, heads: 4 }
  assert.deepEqual(movedBy(grid, [0, 0], "ArrowUp"), [0, 0])
  assert.deepEqual(movedBy(grid, [0, 0], "ArrowRight"), [0, 1])
  assert.deepEqual(movedBy(grid, [1, 1], "End"), [1, 3])
  assert.deepEqual(movedBy(grid, [1, 1], "PageDown"), [2, 1])
  assert.equal(movedBy(grid, [1, 1], "a"), null)
})

test("numbers along an axis have room", () => {
  assert.deepEqual(labelled(4, 26, 14), [0, 1, 2, 3])
  assert.deepEqual(labelled(12, 7, 14), [0, 2, 4, 6, 8, 10])
})

test("ink is read on every colour", () => {
  assert.equal(inkOn("#0072B2"), "#FFFFFF")
  assert.equal(inkOn("#56B4E9"), "#000000")
})

test("painting a head back to what it was leaves no edit", () => {
  const base = [[0, 1], [2, 0]]
  const once = painted([], base, [[0, 0], [1, 1], [0, 1]], 1)
  assert.deepEqual(once, [[0, 0, 1], [1, 1, 1]])
  assert.equal(editsText(once, KINDS), "0.0=hf.anchor, 1.1=hf.anchor")
  assert.deepEqual(painted(once, base, [[1, 1], [0, 0]], 0), [])
  assert.deepEqual(typesAfter(base, once), [[1, 1], [2, 1]])
  assert.deepEqual(base, [[0, 1], [2, 0]])
  assert.deepEqual(countsOf(typesAfter(base, once), 3), [0, 3, 1])
  assert.equal(editsText([], KINDS), "")
})

test("what differs is found by names", () => {
  const its = [{ name: "hf.memory" }, { name: "hf.local" }]
  const beside = { alike: true, types: [[1, 1]], kinds: its }
  assert.deepEqual([...differing([[0, 2]], KINDS, beside)], ["0.1"])
  assert.equal(differing([[0, 2]], KINDS, { ...beside, alike: false }).size, 0)
})

/** A graph of nodes {id, type, widgets: {name: value}, inputs: {name: [from, slot]}}. */
function graphOf(nodes) {
  const links = {}, graph = { links }
  graph.nodes = nodes.map(({ widgets = {}, inputs = {}, ...rest }, at) => ({
    mode: 0, graph, ...rest,
    widgets: Object.entries(widgets).map(([name, value]) => ({ name, value })),
    inputs: Object.entries(inputs).map(([name, [origin_id, origin_slot]], slot) => {
      const link = 1 + at * 10 + slot
      links[link] = { origin_id, origin_slot }
      return { name, link }
    }),
  }))
  graph.getNodeById = id => graph.nodes.find(node => node.id === id)
  return graph
}
const one = { layer: 0, head: 1 }

test("an edited map is told by its file and the edits on the way", () => {
  const graph = graphOf([
    { id: 1, type: "HeadForcingLoadHeadMap", widgets: { file: "a.json", edits: "0.0=x" } },
    { id: 2, type: "HeadForcingEditHeadMap", widgets: { ...one, type: "y", edits: "" }, inputs: { head_map: [1, 0] } },
    { id: 3, type: "HeadForcingEditHeadMap", widgets: { ...one, type: "unchanged", edits: "1.1=z" },
      inputs: { head_map: [2, 0], beside: [1, 0] } },
  ])
  assert.deepEqual(placeOf(graph.getNodeById(3)), {
    place: { file: "a.json", steps: ["0.0=x", "0.1=y"] }, change: "", edits: "1.1=z",
    beside: { file: "a.json", steps: ["0.0=x"] }, from: "HeadForcingEditHeadMap",
  })
  assert.equal(placeOf(graph.getNodeById(2)).change, "0.1=y")
  assert.deepEqual(placeOf(graph.getNodeById(1)).place, { file: "a.json", steps: [] })
})

test("a measured map is told by the graph that measured it", () => {
  const graph = graphOf([
    { id: 7, type: "Load", widgets: { name: "m", button: null } },
    { id: 8, type: "HeadForcingProfileHeads", widgets: { scheme: "s", edits: "" }, inputs: { model: [7, 0] } },
    { id: 9, type: "HeadForcingEditHeadMap", widgets: { ...one, type: "unchanged", edits: "" }, inputs: { head_map: [8, 1] } },
  ])
  const made = {
    8: { class_type: "HeadForcingProfileHeads", inputs: { scheme: "s", edits: "", model: ["of 1", 0] } },
    "of 1": { class_type: "Load", inputs: { name: "m" } },
  }
  assert.deepEqual(madeOf(graph.getNodeById(8)), made)
  assert.deepEqual(placeOf(graph.getNodeById(9)).place, { node: "8", made_of: made, steps: [] })
  graph.getNodeById(9).inputs[0].link = null
  assert.equal(placeOf(graph.getNodeById(9)).place, null)
})
