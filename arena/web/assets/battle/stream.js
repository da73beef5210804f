// Server-sent events of one turn, read to their end however often the connection breaks.
import { call } from "./api.js";

/** @returns {Promise<void>} */
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

async function read(response, heard) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
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
      if (fields.event && heard(Number(fields.id), fields.event, JSON.parse(fields.data))) return true;
    }
  }
}

/**
 * Follows a turn until `heard(name, data)` says that it is over.
 * `first` is the answer to the question, or null to pick up a running stream;
 * `broken()` and `back()` tell of the connection.
 * Returns false when the stream is no longer to be had: the battle itself has what was kept.
 */
export async function follow(battleId, turn, first, { heard, broken, back }) {
  let last = 0;
  let response = first;
  const one = (id, name, data) => {
    last = id;
    return heard(name, data);
  };
  for (let attempt = 0; ; attempt += 1) {
    try {
      if (response) {
        if (attempt > 0) back();
        if (await read(response, one)) return true;
        attempt = 0;
      }
    } catch {
      // the connection broke: it is picked up below
    }
    if (response || attempt > 0) {
      broken();
      await wait(Math.min(500 * 2 ** attempt, 8000));
    }
    try {
      response = await call(`/battles/${battleId}/turns/${turn}/stream`, {
        headers: { "last-event-id": String(last) },
      });
    } catch (refused) {
      response = null;
      if (refused.code !== "offline") return false;
    }
  }
}
