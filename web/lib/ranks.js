// Widgets of two ranks: which are folded, and which of these have another value than at first.

/** @typedef {Record<string, {first: any, under?: Record<string, Defaults>}>} Defaults */

/**
 * Return what widgets hold at first.
 * @param {any} input of a node's definition: {required: {name: [kind, how]}, optional: {...}}
 * @returns {Defaults} under: of the widgets that come with a choice, by choice
 */
export function defaultsOf(input) {
  const every = Object.entries({ ...input?.required, ...input?.optional })
  return Object.fromEntries(every.map(([name, spec]) => [name, defaultOf(spec)]))
}

function defaultOf([kind, how] = []) {
  const options = Array.isArray(kind) ? kind : how?.options ?? []
  const keyed = options.filter(option => option?.inputs !== undefined)
  const first = how?.default ?? keyed[0]?.key ?? options[0]
  if (!keyed.length) return { first }
  return { first, under: Object.fromEntries(keyed.map(({ key, inputs }) => [key, defaultsOf(inputs)])) }
}

/**
 * Return whether a definition has widgets that are folded.
 * @param {any} input as of defaultsOf
 * @returns {boolean}
 */
export function hasFolded(input) {
  return Object.values({ ...input?.required, ...input?.optional }).some(([, how] = []) =>
    how?.advanced === true || (how?.options ?? []).some?.(option => hasFolded(option?.inputs)))
}

/**
 * Return the widgets of a node that are folded; one that is connected is not.
 * @param {any} node
 * @returns {any[]}
 */
export function foldedOf(node) {
  const linked = new Set((node.inputs ?? []).filter(one => one.link != null).map(one => one.widget?.name))
  return (node.widgets ?? []).filter(one => one.options?.advanced === true && !linked.has(one.name))
}

/**
 * Return how many widgets have another value than at first.
 * @param {any[]} some
 * @param {any[]} all widgets of their node
 * @param {Defaults} defaults
 * @returns {number}
 */
export function changedOf(some, all, defaults) {
  const values = new Map(all.map(widget => [widget.name, widget.value]))
  return some.filter(widget => !same(widget.value, firstOf(widget.name, values, defaults))).length
}

// Of a widget that comes with a choice, CHOICE.NAME, the default is that of what is chosen.
function firstOf(name, values, defaults) {
  if (name in defaults) return defaults[name].first
  const [choice, ...rest] = name.split(".")
  return defaults[choice]?.under?.[values.get(choice)]?.[rest.join(".")]?.first
}

function same(one, other) {
  // a page may round what it shows
  if (typeof one === "number" && typeof other === "number") return Math.abs(one - other) < 1e-9
  return one === other
}
