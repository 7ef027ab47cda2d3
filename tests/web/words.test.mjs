// Words by key, in the nearest language that has them.

import assert from "node:assert/strict"
import { test } from "node:test"
import { filled, wordAt } from "../../web/lib/words.js"

const told = { en: { headForcing: { a: { b: "one", c: "two {n} of {m}" } } }, zh: { headForcing: { a: { b: "一" } } } }

test("the nearest language that has a word is taken", () => {
  assert.equal(wordAt(told, "zh-TW", "a.b"), "一")
  assert.equal(wordAt(told, "zh", "a.c"), "two {n} of {m}")
  assert.equal(wordAt(told, "fr", "a.b"), "one")
  assert.equal(wordAt(told, "en", "a.none"), "a.none")
  assert.equal(wordAt({}, "en", "a.b"), "a.b")
})

test("values stand where their names do", () => {
  assert.equal(filled("two {n} of {m}", { n: 1 }), "two 1 of {m}")
})
