// Records of runs: news merged, chunks at places, numbers in words.

import assert from "node:assert/strict"
import { test } from "node:test"
import { bytesText, chunkAt, lit, merged, nearest, newest, plain, thinned, tiles, timeText } from "../../web/lib/run.js"
import { namesOf, nodeNamed } from "../../web/lib/graph.js"

const base = { run: 1, chunks: 10, done: 0, every: 1, lights: [] }
const chunk = n => ({ chunk: n, second: n - 1, kept: false, prompt: 1, took: 1, picture: null })

function ran(count, every = 1) {
  let run = merged(null, { ...base, begun: true })
  for (let n = 1; n <= count; n++) run = merged(run, { ...base, every, done: n, chunk: chunk(n) })
  return run
}

test("news is merged, the picture of a chunk behind it", () => {
  let run = ran(2)
  assert.deepEqual(run.strip.map(one => one.chunk), [1, 2])
  run = merged(run, { ...base, done: 2, chunk: { chunk: 1, picture: "x" } })
  assert.deepEqual(run.strip[0], { ...chunk(1), picture: "x" })
  assert.equal("chunk" in run, false)
})

test("of a run whose beginning was missed nothing is guessed; a new one begins empty", () => {
  assert.equal(merged(null, base), null)
  assert.equal(merged(ran(3), { ...base, run: 2 }), null)
  const next = merged(ran(3), { ...base, run: 2, begun: true })
  assert.deepEqual([next.strip, next.run], [[], 2])
})

test("receipts stay until there are others, and are of their run alone", () => {
  const one = { chunk: 2, text: "a" }, two = { chunk: 4, text: "b" }
  let run = merged(ran(2), { ...base, done: 2, steered: [one] })
  run = merged(run, { ...base, done: 3, chunk: chunk(3) })
  assert.deepEqual(run.steered, [one])
  run = merged(run, { ...base, done: 3, steered: [one, two] })
  assert.deepEqual(run.steered, [one, two])
  assert.deepEqual(merged(run, { ...base, run: 2, begun: true }).steered, [])
})

test("chunks are thinned evenly, the newest stays, a late picture of one let go is nobody's", () => {
  assert.deepEqual(ran(8, 4).strip.map(one => one.chunk), [1, 5, 8])
  assert.deepEqual(thinned([1, 2, 3, 4].map(chunk), 2, 4).map(one => one.chunk), [1, 3, 4])
  const run = merged(ran(8, 4), { ...base, every: 4, done: 8, chunk: { chunk: 7, picture: "x" } })
  assert.deepEqual(run.strip.map(one => one.chunk), [1, 5, 8])
})

test("places on the strip", () => {
  assert.deepEqual([-5, 0, 9.9, 10, 99, 100, 500].map(x => chunkAt(x, 100, 10)), [1, 1, 1, 2, 10, 10, 10])
  assert.equal(nearest(ran(8, 4).strip, 7).chunk, 5)
  assert.equal(nearest([], 7), null)
})

test("tiles lie beside each other up to what is made", () => {
  const all = tiles(ran(10), 100, 10)
  assert.deepEqual(all.map(one => one.chunk.chunk), [1, 2, 3, 4, 5, 6, 7, 8, 9, 10])
  const few = tiles(ran(5), 100, 40)
  assert.deepEqual(few.map(({ x, width }) => [x, width]), [[0, 50]])
  assert.deepEqual(tiles(ran(0), 100, 10), [])
  assert.equal(tiles(ran(6), 100, 40)[1].width, 10)
})

test("lights", () => {
  const light = (measure, out, left) => ({ measure, out, left, back: null, said: "" })
  const { out, back, ok } = lit([light("a", true, 3), light("b", false, 2), light("c", false, null)])
  assert.deepEqual([out[0].measure, back[0].measure, ok], ["a", "b", 1])
})

test("numbers in words", () => {
  assert.deepEqual([0, 1023, 1536, 3 * 1024 ** 2, 200 * 1024 ** 3].map(bytesText),
    ["0 B", "1023 B", "1.5 KiB", "3.0 MiB", "200 GiB"])
  assert.deepEqual([-1, 7.6, 59.6, 125, 3725].map(timeText), ["0 s", "8 s", "1:00", "2:05", "1:02:05"])
  assert.deepEqual([0.75, 12, 3.1, 123.46].map(plain), ["0.75", "12", "3.1", "123.5"])
})

test("a node in a subgraph has a name for each node that the subgraph is", () => {
  const graph = (nodes, root) => {
    const made = { nodes, getNodeById: id => nodes.find(node => node.id === id) ?? null }
    made.rootGraph = root ?? made
    for (const node of nodes) node.graph = made
    return made
  }
  const inner = { id: 5 }, root = graph([{ id: 7 }, { id: 8 }, { id: 5 }])
  const sub = graph([inner], root)
  root.nodes[0].subgraph = root.nodes[1].subgraph = sub
  root.subgraphs = new Map([["s", sub]])
  assert.deepEqual(namesOf(inner), ["7:5", "8:5"])
  assert.deepEqual(namesOf(root.nodes[2]), ["5"])
  assert.equal(nodeNamed(root, "8:5"), inner)
  assert.equal(nodeNamed(root, "5"), root.nodes[2])
  assert.equal(nodeNamed(root, "9:5"), null)
  assert.deepEqual(namesOf({ id: 1 }), [])
})

test("the newest picture is shown until there is a newer one", () => {
  assert.equal(newest([]), null)
  assert.equal(newest([{ chunk: 1 }, { chunk: 2 }]).chunk, 2)
  assert.equal(newest([{ chunk: 1, picture: "x" }, { chunk: 2 }]).chunk, 1)
})
