// What is said of one head.

/**
 * @param {{types: number[][], base: number[][], kinds: {name: string}[], measured: any}} map
 * @param {number} layer
 * @param {number} head
 * @param {(key: string, values?: Record<string, any>) => string} say
 * @returns {string[]} lines: which head, what was measured, how sure it is
 */
export function headWords(map, layer, head, say) {
  const name = kind => map.kinds[kind].name
  const kind = map.types[layer][head], was = map.base[layer][head]
  const said = [say("cell", { layer, head, type: name(kind) })]
  if (kind !== was) said[0] += `; ${say("changed", { type: name(was) })}`
  const measured = map.measured
  if (!measured) return [...said, say("unmeasured")]
  const shares = Object.entries(measured.statistics).map(
    ([what, rows]) => `${what} ${shown(rows[layer][head], say)}`,
  )
  if (shares.length) said.push(shares.join(", "))
  const votes = measured.votes[layer]?.[head]
  const sure = votes === undefined ? [] : [say("votes", { share: `${Math.round(votes * 100)}%` })]
  const doubted = measured.doubted.some(([l, h]) => l === layer && h === head)
  if (doubted) sure.push(say("doubted"))
  if (sure.length) said.push(sure.join("; "))
  return said
}

// A number; of a curve over past frames its ends and extremes.
function shown(value, say) {
  if (!Array.isArray(value)) return digits(value)
  if (!value.length) return "–"
  const [least, most] = [Math.min(...value), Math.max(...value)].map(digits)
  const ends = { first: digits(value[0]), last: digits(value.at(-1)) }
  return say("curve", { ...ends, least, most, frames: value.length })
}

function digits(value) {
  return Number(value.toPrecision(3)).toString()
}
