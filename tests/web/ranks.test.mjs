// Which widgets are folded, and which of these are changed.

import assert from "node:assert/strict"
import { test } from "node:test"
import { changedOf, defaultsOf, foldedOf, hasFolded } from "../../web/lib/ranks.js"

const under = { required: {}, optional: { window: ["INT", { default: 12 }], late: ["COMBO", { options: ["a", "b"], advanced: true }] } }
const input = {
  required: {
    seed: ["INT", { default: 0 }],
    method: ["COMFY_DYNAMICCOMBO_V3", { options: [{ key: "one", inputs: under }, { key: "two", inputs: { optional: { late: ["FLOAT", { default: 0.3 }] } } }] }],
  },
  optional: { vae: ["VAE", {}], kind: [["x", "y"], {}], fps: ["FLOAT", { default: 0, advanced: true }] },
}
const widget = (name, value, advanced = false) => ({ name, value, options: { advanced } })

test("defaults are those of the node, and of what is chosen", () => {
  const found = defaultsOf(input)
  assert.equal(found.fps.first, 0)
  assert.equal(found.kind.first, "x")
  assert.equal(found.method.first, "one")
  assert.equal(found.method.under.one.late.first, "a")
  assert.equal(found.method.under.two.late.first, 0.3)
  assert.deepEqual(defaultsOf(undefined), {})
})

test("a node has folded widgets of its own, or of a choice", () => {
  assert.ok(hasFolded(input))
  assert.ok(hasFolded({ required: { method: input.required.method } }))
  assert.ok(!hasFolded({ required: { seed: input.required.seed }, optional: { vae: ["VAE"] } }))
})

test("what is connected is not folded", () => {
  const widgets = [widget("seed", 3), widget("fps", 24, true), widget("tile", 0, true)]
  assert.deepEqual(foldedOf({ widgets }).map(one => one.name), ["fps", "tile"])
  const inputs = [{ widget: { name: "fps" }, link: 4 }, { widget: { name: "tile" }, link: null }]
  assert.deepEqual(foldedOf({ widgets, inputs }).map(one => one.name), ["tile"])
  assert.deepEqual(foldedOf({}), [])
})

test("a changed widget is one with another value than at first, of the choice there is", () => {
  const defaults = defaultsOf(input)
  const changed = (method, late, fps) => {
    const all = [widget("method", method), widget("method.late", late, true), widget("fps", fps, true)]
    return changedOf(all.slice(1), all, defaults)
  }
  assert.equal(changed("one", "a", 0), 0)
  assert.equal(changed("one", "b", 0), 1)
  assert.equal(changed("two", 0.3, 24), 1)
  assert.equal(changed("two", 0.1 + 0.2, 0), 0)
  assert.equal(changed("two", "a", 24), 2)
})
