// Server-sent events of one turn, read to their end however often the connection breaks.
/** @import { TurnEvent } from "../../answers.d.ts" */
import { refusal, resumeTurn } from "./api.js";

/**
 * @param {number} ms
 * @returns {Promise<void>}
 */
const wait = (ms) =>
  new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      removeEventListener("online", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    addEventListener("online", done);
  });

/**
 * @param {Response} response
 * @param {AbortSignal} signal
 * @param {(id: number, ...event: TurnEvent) => boolean} heard
 */
async function read(response, signal, heard) {
  if (!response.body) return false;
  const reader = response.body.pipeThrough(new TextDecoderStream(), { signal }).getReader();
  let buffer = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return false;
    buffer += value;
    for (let end = buffer.indexOf("\n\n"); end >= 0; end = buffer.indexOf("\n\n")) {
      const lines = buffer
        .slice(0, end)
        .split("\n")
        .filter((line) => !line.startsWith(":"));
      buffer = buffer.slice(end + 2);
      const fields = Object.fromEntries(
        lines.map((line) => [line.slice(0, line.indexOf(": ")), line.slice(line.indexOf(": ") + 2)]),
      );
      if (!fields.event) continue;
      const event = /** @type {TurnEvent} */ ([fields.event, JSON.parse(fields.data)]);
      if (heard(Number(fields.id), ...event)) return true;
    }
  }
}

/**
 * `broken()` and `back()` tell of the connection; `signal` ends everything at once, and nothing is told any more.
 * @typedef {{
 *   heard: (...event: TurnEvent) => boolean, broken: () => void, back: () => void, signal: AbortSignal,
 * }} Listener
 */

/**
 * Follows a turn until `heard(name, data)` says that it is over.
 * Returns false when the stream is no longer to be had: the battle itself has what was kept.
 * @param {string} battleId
 * @param {number} turn
 * @param {Response | null} first the answer to the question, or null to pick up a running stream
 * @param {Listener} listener
 */
export async function follow(battleId, turn, first, { heard, broken, back, signal }) {
  let last = 0;
  let response = first;
  for (let attempt = 0; ; attempt += 1) {
    try {
      if (response) {
        if (attempt > 0) back();
        const over = await read(response, signal, (id, ...event) => {
          last = id;
          return heard(...event);
        });
        if (over) return true;
        attempt = 0;
      }
    } catch {
      // the connection broke: it is picked up below
    }
    if (signal.aborted) return true;
    if (response || attempt > 0) {
      broken();
      await wait(Math.min(500 * 2 ** attempt, 8000));
    }
    try {
      response = await resumeTurn(battleId, turn, last);
    } catch (caught) {
      response = null;
      if (refusal(caught).code !== "offline") return false;
    }
  }
}
