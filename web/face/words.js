// The words of the faces, from locales/ by way of the host, in the page's language.

import { api } from "../../../scripts/api.js"
import { app } from "../../../scripts/app.js"
import { filled, wordAt } from "../lib/words.js"

/** @type {Record<string, any>} */
let told = {}

/** Resolves when the words are there; a face waits for it before it is shown. */
export const ready = api
  .fetchApi("/i18n")
  .then(answer => answer.json())
  .then(all => (told = all))
  .catch(() => {})

/**
 * Return a word in the page's language.
 * @param {string} key path below "headForcing" in locales/LANGUAGE/main.json, with dots
 * @param {Record<string, string | number>} [values] what stands in braces
 * @returns {string}
 */
export function say(key, values = {}) {
  return filled(wordAt(told, language(), key), values)
}

/** @returns {string} such as "en" or "zh-TW" */
export function language() {
  return String(app.extensionManager?.setting?.get?.("Comfy.Locale") ?? "en")
}
