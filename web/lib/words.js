// Words by key: which language has one, and what stands in its braces.

const SECTION = "headForcing"
const FALLBACK = "en"

/**
 * Return the word of a key, of the nearest language that has it; the key itself if none has.
 * @param {Record<string, any>} told {language: what its main.json holds}, of all packs
 * @param {string} language such as "en" or "zh-TW"
 * @param {string} key path below "headForcing", with dots
 * @returns {string}
 */
export function wordAt(told, language, key) {
  for (const one of [language, language.split("-")[0], FALLBACK]) {
    const found = key.split(".").reduce((at, part) => at?.[part], told?.[one]?.[SECTION])
    if (typeof found === "string") return found
  }
  return key
}

/**
 * Put values where their names stand in braces.
 * @param {string} text
 * @param {Record<string, string | number>} values
 * @returns {string}
 */
export function filled(text, values) {
  return text.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? String(values[name]) : whole))
}
