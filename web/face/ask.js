// Questions to the pack's own routes.

import { api } from "../../../scripts/api.js"

/**
 * Ask a route; never throws.
 * @param {string} route below /head_forcing/
 * @param {object} body sent as JSON
 * @returns {Promise<{ok: boolean, status: number, said: any}>} status 0: no answer; said.error is
 *     a sentence where ok is false
 */
export async function ask(route, body) {
  let answer
  try {
    answer = await api.fetchApi(`/head_forcing/${route}`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body),
    })
  } catch (error) {
    return { ok: false, status: 0, said: { error: String(error) } }
  }
  const said = await answer.json().catch(() => ({}))
  if (!answer.ok && typeof said?.error !== "string")
    return { ok: false, status: answer.status, said: { error: `${answer.status} ${answer.statusText}` } }
  return { ok: answer.ok, status: answer.status, said }
}
