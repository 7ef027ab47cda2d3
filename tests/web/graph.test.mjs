// What is connected to what, through reroutes, bypassed nodes and subgraphs.

import assert from "node:assert/strict"
import { test } from "node:test"
import { source, targets, upstream, valueOf } from "../../web/lib/graph.js"

/** A graph of nodes {id, type, mode, inputs: {name: [from, slot, kind]}, outputs: [kind]}. */
function graphOf(nodes) {
  const links = new Map(), graph = { links, getLink: id => links.get(id) }
  graph.nodes = nodes.map(({ inputs = {}, outputs = [], ...rest }) => ({
    mode: 0, graph, ...rest,
    inputs: Object.entries(inputs).map(([name, from]) => ({ name, type: from?.[2], link: null })),
    outputs: outputs.map(type => ({ type, links: [] })),
  }))
  graph.getNodeById = id => graph.nodes.find(node => node.id === id) ?? null
  nodes.forEach(({ id, inputs = {} }) =>
    Object.values(inputs).forEach((from, slot) => {
      if (!from) return
      const link = { id: links.size + 1, origin_id: from[0], origin_slot: from[1], target_id: id, target_slot: slot }
      links.set(link.id, link)
      graph.getNodeById(id).inputs[slot].link = link.id
      graph.getNodeById(from[0])?.outputs[from[1]].links.push(link.id)
    }),
  )
  return graph
}

const chain = mode =>
  graphOf([
    { id: 1, type: "Load", outputs: ["MODEL"] },
    { id: 2, type: "Lora", mode, inputs: { model: [1, 0, "MODEL"] }, outputs: ["MODEL"] },
    { id: 3, type: "Reroute", inputs: { "": [2, 0, "*"] }, outputs: ["*"] },
    { id: 4, type: "Sampler", inputs: { model: [3, 0, "MODEL"], prompts: null } },
  ])

test("an input is fed through a reroute", () => {
  const graph = chain(0)
  assert.equal(source(graph.getNodeById(4), "model").node.id, 2)
  assert.equal(source(graph.getNodeById(4), "prompts"), null)
  assert.equal(source(graph.getNodeById(4), "nothing"), null)
})

test("a bypassed node passes on, a muted one gives nothing", () => {
  assert.equal(source(chain(4).getNodeById(4), "model").node.id, 1)
  assert.equal(source(chain(2).getNodeById(4), "model"), null)
})

test("an output feeds through reroutes and bypassed nodes", () => {
  for (const mode of [0, 4]) {
    const graph = chain(mode), from = graph.getNodeById(mode ? 1 : 2)
    assert.deepEqual(targets(from, 0).map(({ node, input }) => [node.id, input]), [[4, "model"]])
  }
  assert.deepEqual(targets(chain(2).getNodeById(1), 0), [])
})

test("the nearest node up a chain is found", () => {
  const graph = chain(0)
  assert.equal(upstream(graph.getNodeById(4), "model", node => node.type === "Load").id, 1)
  assert.equal(upstream(graph.getNodeById(4), "model", node => node.type === "Other"), null)
})

test("a circle ends", () => {
  const graph = graphOf([
    { id: 1, type: "Reroute", inputs: { "": [2, 0, "*"] }, outputs: ["*"] },
    { id: 2, type: "Reroute", inputs: { "": [1, 0, "*"] }, outputs: ["*"] },
    { id: 3, type: "Sampler", inputs: { model: [1, 0, "*"] } },
  ])
  assert.equal(source(graph.getNodeById(3), "model"), null)
})

test("a value is the widget's, or that of a primitive in its place", () => {
  const graph = graphOf([
    { id: 1, type: "PrimitiveFloat", outputs: ["FLOAT"], widgets: [{ name: "value", value: 7 }] },
    { id: 2, type: "Compute", outputs: ["FLOAT"], widgets: [{ name: "value", value: 9 }] },
    { id: 3, type: "S", inputs: { seconds: [1, 0, "FLOAT"], fps: [2, 0, "FLOAT"] }, widgets: [{ name: "seconds", value: 1 }, { name: "seed", value: 3 }] },
  ])
  const node = graph.getNodeById(3)
  assert.equal(valueOf(node, "seconds"), 7)
  assert.equal(valueOf(node, "fps"), undefined)
  assert.equal(valueOf(node, "seed"), 3)
  assert.equal(valueOf(node, "none"), undefined)
})

test("a subgraph is looked into and out of", () => {
  const inner = graphOf([{ id: 7, type: "Lora", inputs: { model: [-10, 0, "MODEL"] }, outputs: ["MODEL"] }])
  const root = graphOf([
    { id: 1, type: "Load", outputs: ["MODEL"] },
    { id: 2, type: "group", inputs: { model: [1, 0, "MODEL"] }, outputs: ["MODEL"] },
    { id: 3, type: "Sampler", inputs: { model: [2, 0, "MODEL"] } },
  ])
  const group = root.getNodeById(2)
  group.subgraph = inner
  inner.rootGraph = root
  root.rootGraph = root
  const [into] = inner.links.keys()
  inner.links.set(99, { id: 99, origin_id: 7, origin_slot: 0, target_id: -20, target_slot: 0 })
  inner.nodes[0].outputs[0].links.push(99)
  inner.inputs = [{ linkIds: [into] }]
  inner.outputs = [{ linkIds: [99] }]
  assert.equal(source(root.getNodeById(3), "model").node.id, 7)
  assert.equal(source(inner.getNodeById(7), "model").node.id, 1)
  assert.deepEqual(targets(root.getNodeById(1), 0).map(({ node }) => node.id), [7])
  assert.deepEqual(targets(inner.getNodeById(7), 0).map(({ node }) => node.id), [3])
})
