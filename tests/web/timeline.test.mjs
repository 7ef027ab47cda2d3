import assert from "node:assert/strict"
import { test } from "node:test"
import {
  bounds, divided, dragged, isAs, moved, nearest, spoken, stepped, thinned, ticks, withCut, withEdge,
  without, withWords,
} from "../../web/lib/timeline.js"

const prompt = (text, at, more = {}) => ({ text, start: at, at, end: null, cut: false, cuts: false, ...more })
const edges = Array.from({ length: 14 }, (_, n) => n * 0.75)
const line = {
  prompts: [prompt("a", 0), prompt("b", 5.25, { start: 5 }), prompt("c", 7.5)], edges, length: 10.5,
}
const times = found => found.map(one => [one.text, one.start])

test("of two chunk starts as near, the later", () => {
  assert.equal(nearest([0, 1, 2], 0.5), 1)
  assert.equal(nearest([0, 1, 2], 0.4), 0)
  assert.equal(nearest([], 1), null)
})
test("an edge snaps, and stays between those beside it", () => {
  assert.equal(dragged(line, 1, 3.1), 3)
  assert.equal(dragged(line, 1, -5), 0.75)
  assert.equal(dragged(line, 1, 99), 6.75)
  assert.equal(dragged(line, 2, 99), 9.75)
  assert.equal(dragged(line, 0, 3), null)
})
test("without chunks an edge snaps to nothing", () => {
  const free = { prompts: [prompt("a", 0), prompt("b", 5)], edges: null, length: null }
  assert.equal(dragged(free, 1, 3.137), 3.14)
  assert.deepEqual(bounds(free), [0, 5, 10])
})
test("a step is a chunk; where there is none, none", () => {
  assert.equal(stepped(line, 1, -1), 4.5)
  assert.equal(stepped({ ...line, prompts: [prompt("a", 0), prompt("b", 0.75)] }, 1, -1), null)
})
test("what was not dragged keeps its time as typed", () => {
  assert.deepEqual(times(withEdge(line, 2, 9)), [["a", 0], ["b", 5], ["c", 9]])
  assert.equal(withEdge(line, 2, 7.6), null)
})
test("a prompt divides at a chunk in its middle, and one of a chunk does not", () => {
  assert.deepEqual(times(divided(line, 0)), [["a", 0], ["a", 3], ["b", 5], ["c", 7.5]])
  const short = { ...line, prompts: [prompt("a", 0), prompt("b", 0.75)] }
  assert.equal(divided(short, 0), null)
})
test("what follows a first prompt that is taken away begins at 0", () => {
  assert.deepEqual(times(without(line, 0)), [["b", 0], ["c", 7.5]])
  assert.equal(without({ ...line, prompts: [prompt("a", 0)] }, 0), null)
})
test("prompts that change places keep how long they last", () => {
  assert.deepEqual(times(moved(line, 0, 2)), [["b", 0], ["c", 2.25], ["a", 5.25]])
  assert.equal(moved(line, 0, 3), null)
})
test("prompts that share the video still do in another order, and have times once one is dragged", () => {
  const shared = { edges, length: 10.5, prompts: line.prompts.map(one => ({ ...one, start: null })) }
  assert.deepEqual(times(moved(shared, 0, 1)), [["b", null], ["a", null], ["c", null]])
  assert.deepEqual(times(withEdge(shared, 1, 3)), [["a", 0], ["b", 3], ["c", 7.5]])
})
test("a cut by words loses them", () => {
  const said = { ...line, prompts: [prompt("a", 0), prompt("New scene. b", 5.25, { cuts: true })] }
  const [, one] = withCut(said, 1, "New scene. ")
  assert.deepEqual([one.text, one.cut], ["b", false])
  assert.equal(withCut(line, 1, null)[1].cut, true)
  assert.equal(withCut(line, 0, null), null)
})
test("words change, but not to none", () => {
  assert.equal(withWords(line, 1, " x ")[1].text, "x")
  assert.equal(withWords(line, 1, "  "), null)
})
test("an answer is compared with what was wanted", () => {
  assert.ok(isAs(line.prompts, line.prompts))
  assert.ok(!isAs(line.prompts, line.prompts.map(one => ({ ...one, at: one.at + 0.75 }))))
  assert.ok(!isAs(line.prompts, line.prompts.map(one => ({ ...one, cut: true }))))
})
test("a ruler has room", () => {
  assert.deepEqual(ticks(30, 300), [0, 5, 10, 15, 20, 25, 30])
  assert.ok(thinned(Array.from({ length: 1000 }, (_, n) => n), 1000, 300).length <= 63)
  assert.deepEqual([spoken(5.25), spoken(65.5), spoken(3600)], ["5.25 s", "1:05.5", "1:00:00"])
})
