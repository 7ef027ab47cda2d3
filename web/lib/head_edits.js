// Edits of a head map as the page writes them: layer.head=type. Reading them is Python's.

/** @typedef {[number, number, number]} Edit layer, head, number of its type */

/**
 * Write edits as the text of the widget, in the order of layers and heads.
 * @param {Edit[]} edits
 * @param {string[]} kinds names of types
 * @returns {string}
 */
export function editsText(edits, kinds) {
  const sorted = [...edits].sort((a, b) => a[0] - b[0] || a[1] - b[1])
  return sorted.map(([layer, head, kind]) => `${layer}.${head}=${kinds[kind]}`).join(", ")
}

/**
 * Return edits with heads set to a type; one that is set to the type it has anyway has none.
 * @param {Edit[]} edits
 * @param {number[][]} base types before the edits
 * @param {[number, number][]} heads
 * @param {number} kind
 * @returns {Edit[]}
 */
export function painted(edits, base, heads, kind) {
  const at = new Map(edits.map(edit => [`${edit[0]}.${edit[1]}`, edit]))
  for (const [layer, head] of heads) {
    const key = `${layer}.${head}`
    if (base[layer][head] === kind) at.delete(key)
    else at.set(key, [layer, head, kind])
  }
  return [...at.values()]
}

/**
 * Return types after edits, for what is shown until Python says the same.
 * @param {number[][]} base
 * @param {Edit[]} edits
 * @returns {number[][]}
 */
export function typesAfter(base, edits) {
  const rows = base.map(row => [...row])
  for (const [layer, head, kind] of edits) rows[layer][head] = kind
  return rows
}

/**
 * Return heads whose types differ in name, "layer.head"; none where names are of two papers.
 * @param {number[][]} types
 * @param {string[]} kinds
 * @param {{alike: boolean, types: number[][], kinds: {name: string}[]}} beside
 * @returns {Set<string>}
 */
export function differing(types, kinds, beside) {
  const found = new Set()
  if (!beside.alike) return found
  types.forEach((row, layer) =>
    row.forEach((kind, head) => {
      const its = beside.kinds[beside.types[layer][head]].name
      if (kinds[kind] !== its) found.add(`${layer}.${head}`)
    }),
  )
  return found
}

/**
 * Return how many heads each type has.
 * @param {number[][]} types
 * @param {number} kinds how many types there are
 * @returns {number[]}
 */
export function countsOf(types, kinds) {
  const counts = Array(kinds).fill(0)
  for (const row of types) for (const kind of row) counts[kind]++
  return counts
}
