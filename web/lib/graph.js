// What is connected to what, through what only passes it on: reroutes, bypassed nodes, subgraphs.
//
// Works on the graph as the page holds it: node.inputs[n].link, graph.getLink(id) or graph.links.

const BYPASSED = 4
const MUTED = 2
const DEPTH = 64

/**
 * Return what feeds an input.
 * @param {any} node
 * @param {string} input its name
 * @returns {{node: any, slot: number} | null} null: nothing does, or what does is switched off
 */
export function source(node, input) {
  const slot = node?.inputs?.findIndex(one => one.name === input) ?? -1
  return slot < 0 ? null : fed(node, slot, 0)
}

function fed(node, slot, depth) {
  if (depth > DEPTH) return null
  const link = linkOf(node.graph, node.inputs?.[slot]?.link)
  if (!link) return null
  const from = node.graph.getNodeById?.(link.origin_id)
  if (!from) return fromOutside(node.graph, link, depth)
  return through(from, link.origin_slot, depth)
}

// What a node gives out, if it is not one that only passes it on.
function through(from, slot, depth) {
  if (from.mode === MUTED) return null
  if (from.subgraph) return fromInside(from, slot, depth)
  if (from.type === "Reroute") return fed(from, 0, depth + 1)
  if (from.mode !== BYPASSED) return { node: from, slot }
  // bypassed: the first input of the same kind takes its place
  const kind = from.outputs?.[slot]?.type
  const same = [slot, ...(from.inputs ?? []).keys()].find(n => from.inputs?.[n]?.type === kind)
  return same === undefined ? null : fed(from, same, depth + 1)
}

// A subgraph's input is what its node outside is fed with.
function fromOutside(graph, link, depth) {
  const owner = ownerOf(graph)
  return owner ? fed(owner, link.origin_slot, depth + 1) : null
}

function fromInside(owner, slot, depth) {
  const inner = owner.subgraph
  const id = inner.outputs?.[slot]?.linkIds?.[0]
  const link = linkOf(inner, id)
  const from = link && inner.getNodeById?.(link.origin_id)
  return from ? through(from, link.origin_slot, depth + 1) : null
}

// The node that a subgraph is drawn as; several may be of one subgraph: the first.
function ownerOf(graph) {
  const root = graph?.rootGraph
  if (!root || root === graph) return null
  const all = [root, ...(root.subgraphs?.values?.() ?? [])]
  for (const one of all)
    for (const node of one.nodes ?? one._nodes ?? []) if (node.subgraph === graph) return node
  return null
}

/**
 * Return the nodes that an output feeds, through what only passes it on.
 * @param {any} node
 * @param {number} slot of the output
 * @returns {{node: any, input: string}[]}
 */
export function targets(node, slot) {
  return fedBy(node, slot, 0)
}

function fedBy(node, slot, depth) {
  if (depth > DEPTH) return []
  return (node?.outputs?.[slot]?.links ?? []).flatMap(id => {
    const link = linkOf(node.graph, id)
    if (!link) return []
    const to = node.graph.getNodeById?.(link.target_id)
    if (to) return reached(to, link.target_slot, depth)
    const owner = ownerOf(node.graph)
    return owner ? fedBy(owner, link.target_slot, depth + 1) : []
  })
}

function reached(to, slot, depth) {
  if (to.mode === MUTED) return []
  if (to.subgraph) {
    const ids = to.subgraph.inputs?.[slot]?.linkIds ?? []
    return ids.flatMap(id => {
      const link = linkOf(to.subgraph, id), inner = link && to.subgraph.getNodeById?.(link.target_id)
      return inner ? reached(inner, link.target_slot, depth + 1) : []
    })
  }
  if (to.type === "Reroute") return fedBy(to, 0, depth + 1)
  if (to.mode !== BYPASSED) return [{ node: to, input: to.inputs[slot].name }]
  const kind = to.inputs?.[slot]?.type
  return (to.outputs ?? []).flatMap((out, n) => (out.type === kind ? fedBy(to, n, depth + 1) : []))
}

/**
 * Return the value of a widget, or of what is connected in its place where that is a value.
 * @param {any} node
 * @param {string} name
 * @returns {any} undefined: only known when the graph runs, or there is no such widget
 */
export function valueOf(node, name) {
  const slot = node?.inputs?.findIndex(one => one.name === name) ?? -1
  const linked = slot >= 0 && node.inputs[slot].link != null
  if (!linked) return node?.widgets?.find(widget => widget.name === name)?.value
  const from = fed(node, slot, 0)
  // a node that holds a value and nothing else
  return from && /^Primitive/.test(from.node.type) ? from.node.widgets?.[0]?.value : undefined
}

/**
 * Return the nearest node up a chain of inputs of one name.
 * @param {any} node
 * @param {string} input such as "model"
 * @param {(node: any) => boolean} wanted
 * @returns {any} null: none
 */
export function upstream(node, input, wanted) {
  for (let at = node, steps = 0; at && steps < DEPTH; steps++) {
    const from = source(at, input)?.node ?? null
    if (from === null || wanted(from)) return from
    at = from
  }
  return null
}

function linkOf(graph, id) {
  if (id == null || !graph) return null
  return graph.getLink?.(id) ?? graph.links?.get?.(id) ?? graph.links?.[id] ?? null
}

/**
 * Return the names that a host may give a node: of one in a subgraph, a path for each node that the
 * subgraph is drawn as.
 * @param {any} node
 * @returns {string[]} such as ["5"] or ["7:5", "8:5"]
 */
export function namesOf(node, depth = 0) {
  const graph = node?.graph, root = graph?.rootGraph
  if (!graph || depth > DEPTH) return []
  if (!root || root === graph) return [String(node.id)]
  const all = [root, ...(root.subgraphs?.values?.() ?? [])]
  const owners = all.flatMap(one =>
    (one.nodes ?? one._nodes ?? []).filter(other => other.subgraph === graph),
  )
  return owners.flatMap(owner => namesOf(owner, depth + 1).map(name => `${name}:${node.id}`))
}

/**
 * Return the node that a host's name is of.
 * @param {any} root the outermost graph
 * @param {string | number} name
 * @returns {any} null: there is none
 */
export function nodeNamed(root, name) {
  let graph = root, node = null
  for (const id of String(name ?? "").split(":")) {
    node = graph?.getNodeById?.(id) ?? graph?.getNodeById?.(Number(id)) ?? null
    graph = node?.subgraph
  }
  return node
}
