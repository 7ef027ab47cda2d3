// Prompt Schedule on the page: its prompts as bars on the video's true length.
//
//     text ──> POST /head_forcing/schedule ──> bars ──> an edit ──> its text, asked about ──> text

import { ask } from "./face/ask.js"
import { asOneStep, follow, onNode, setWidget } from "./face/nodes.js"
import { addPanel } from "./face/panel.js"
import { SHEET, TimelineView } from "./face/timeline.js"
import { say } from "./face/words.js"
import { targets, upstream, valueOf } from "./lib/graph.js"
import { writings } from "./lib/schedule_text.js"
import { divided, isAs, moved, stepped, withCut, withEdge, without, withWords } from "./lib/timeline.js"

const NODE = "HeadForcingPromptSchedule", SAMPLER = "HeadForcingSampler"
const HEIGHT = 210
const FILE = /\.(safetensors|sft|pt|pth|bin|ckpt|gguf)$/i

onNode(NODE, "HeadForcing.PromptTimeline", node => {
  const panel = addPanel(node, "prompt_timeline", { label: say("timeline.title"), height: HEIGHT, sheet: SHEET })
  if (panel !== null) new Timeline(node, panel)
})

class Timeline {
  constructor(node, panel) {
    this.node = node
    this.line = { prompts: [], edges: null, length: null }
    this.answer = null
    this.chosen = 0
    this.asked = 0
    this.turns = Promise.resolve()
    this.view = new TimelineView(panel, {
      choose: n => this.choose(n),
      edge: (n, second) => this.next(() => this.edit(withEdge(this.line, n, second))),
      move: (n, to) => this.next(() => this.edit(moved(this.line, n, to), to)),
      key: (event, n) => this.key(event, n),
      words: (n, text) => this.next(() => this.edit(withWords(this.line, n, text))),
      tool: name => this.tool(name),
    })
    follow(node, () => known(node), seen => this.look(seen))
  }

  async look(seen) {
    const number = ++this.asked
    this.seen = seen
    if (seen.question.text === null) return this.show(null, say("timeline.linked"))
    const { ok, status, said } = await ask("schedule", seen.question)
    // another was asked meanwhile
    if (number !== this.asked) return
    this.show(ok ? said : null, ok ? "" : status ? said.error : say("timeline.silent"))
  }

  show(answer, problem) {
    this.answer = answer
    // what cannot be read is not drawn as it was: that would be another schedule
    this.line = answer ?? { prompts: [], edges: null, length: null }
    this.chosen = Math.max(0, Math.min(this.chosen, this.line.prompts.length - 1))
    this.draw(problem)
  }

  draw(problem = "") {
    const wrong = problem || this.answer?.problem || "", { seen } = this
    const notes = [wrong, this.answer?.unsaid ?? "", ...seen.notes.map(key => say(`timeline.${key}`))]
    if (this.answer && !this.answer.unsaid && seen.question.family && this.answer.family === null)
      notes.push(say("timeline.noFamily"))
    this.view.show(this.line, this.chosen, {
      reads: this.answer?.reads ?? 16,
      locked: this.answer === null || seen.linked,
      note: notes.filter(Boolean).join(" "),
      bad: Boolean(wrong),
    })
  }

  choose(n) {
    if (n < 0 || n >= this.line.prompts.length) return
    this.chosen = n
    this.draw()
    this.view.focus()
  }

  // One edit after the other: words are written as their field is left, which is when a button is
  // pressed, and what that does is done to what has become of them.
  next(act) {
    const turn = this.turns.then(act)
    this.turns = turn.catch(() => {})
    return turn
  }

  // Write an edit, if it is read as it is meant; the text is as it was if not.
  async edit(wanted, chosen = null) {
    if (wanted === null || this.answer === null || this.seen.linked) return this.draw()
    const { question } = this.seen, { units } = question
    const how = { units, reads: this.answer.reads, length: this.line.length }
    for (const text of writings(wanted, question.text, how)) {
      const { ok, said } = await ask("schedule", { ...question, text })
      // somebody typed meanwhile
      if (known(this.node).question.text !== question.text) return
      if (!ok || !isAs(wanted, said.prompts)) continue
      if (chosen !== null) this.chosen = chosen
      // an answer to a former text is none
      this.asked++
      asOneStep(this.node, () => setWidget(this.node, "text", text))
      this.seen = { ...this.seen, question: { ...question, text } }
      return this.show(said, "")
    }
    this.draw(say("timeline.refused"))
  }

  tool(name) {
    return this.next(() => this.act(name))
  }

  act(name) {
    const { line, chosen: n } = this
    const acts = {
      add: () => this.edit(divided(line, n, say("timeline.new")), n + 1),
      split: () => this.edit(divided(line, n), n + 1),
      delete: () => this.edit(without(line, n), Math.max(0, n - 1)),
      cut: () => this.edit(withCut(line, n, this.answer?.words ?? null)),
      earlier: () => this.edit(moved(line, n, n - 1), n - 1),
      later: () => this.edit(moved(line, n, n + 1), n + 1),
    }
    return acts[name]()
  }

  key(event, n) {
    // undo, copy and the like are the page's
    if (event.ctrlKey || event.metaKey) return
    const side = { ArrowLeft: -1, ArrowRight: 1 }[event.key], { line } = this
    const last = line.prompts.length - 1
    if (side && event.altKey) this.tool(side < 0 ? "earlier" : "later")
    else if (side && event.shiftKey) {
      this.next(() => {
        const to = stepped(this.line, n, side)
        return to === null ? null : this.edit(withEdge(this.line, n, to))
      })
    } else if (side) this.choose(n + side)
    else if (event.key === "Home") this.choose(0)
    else if (event.key === "End") this.choose(last)
    else if (event.key === "Enter") this.view.field.focus()
    else if (event.key === "Delete" || event.key === "Backspace") this.tool("delete")
    else if (event.key === "#" || event.key === "c") this.tool("cut")
    else if (event.key === "s") this.tool("split")
    else if (event.key === "Insert" || event.key === "n") this.tool("add")
    else return
    event.preventDefault()
    event.stopPropagation()
  }
}

// What is asked, and what there is to say of it: of the first sampler that takes this schedule.
function known(node) {
  const names = ["text", "prefix", "units", "fps"]
  const values = Object.fromEntries(names.map(name => [name, valueOf(node, name)]))
  const linked = node.inputs?.some(one => one.name === "text" && one.link != null) ?? false
  const unknown = names.slice(1).some(name => values[name] === undefined)
  const question = {
    text: values.text === undefined ? null : String(values.text),
    prefix: String(values.prefix ?? ""),
    units: String(values.units ?? "auto"),
    fps: Number(values.fps ?? 0),
  }
  const samplers = targets(node, 0).filter(one => one.node.type === SAMPLER && one.input === "prompts")
  const notes = unknown && nodeHas(node, "fps") ? ["unknown"] : []
  if (linked && question.text !== null) notes.push("readOnly")
  if (!samplers.length) return { question, linked, notes: [...notes, "noSampler"] }
  if (samplers.length > 1) notes.push("several")
  return { ...ofSampler(samplers[0].node, question, notes), linked }
}

function ofSampler(sampler, question, notes) {
  const has = name => sampler.inputs?.some(one => one.name === name && one.link != null)
  const seconds = has("size") ? undefined : valueOf(sampler, "seconds")
  if (seconds === undefined) notes.push("noLength")
  if (has("start")) notes.push("given")
  const family = valueOf(sampler, "family"), loader = upstream(sampler, "model", isLoader)
  const loaded = loader?.type === "HeadForcingLoadDemo" ? "demo" : undefined
  const noted = loaded ?? (loader?.type === "HeadForcingLoadARModel" ? valueOf(loader, "family") : undefined)
  const file = loader?.widgets?.map(one => one.value).find(one => typeof one === "string" && FILE.test(one))
  return {
    question: {
      ...question,
      seconds: seconds === undefined ? null : Number(seconds),
      family: family === undefined ? null : String(family),
      noted: noted === undefined ? null : String(noted),
      file: file ?? null,
    },
    notes: family === undefined ? [...notes, "noFamily"] : notes,
  }
}

function isLoader(node) {
  return !node.inputs?.some(one => one.name === "model")
}

function nodeHas(node, name) {
  return node.widgets?.some(one => one.name === name)
}
