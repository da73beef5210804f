// The stream of a turn: read to its end, however it is cut and however often it breaks.
import assert from "node:assert/strict";
import test from "node:test";
import { asked, serve } from "./page.js";

const { follow } = await import("../../../arena/web/assets/battle/stream.js");

const EVENTS = [
  [1, "turn", { turn: 1, prompt: "수도는?" }],
  [2, "delta", { a: { text: "서울" }, b: { text: "한양: 옛 이름" } }],
  [3, "done", { turn: 1, votable: true }],
];
const written = (events) =>
  events.map(([id, name, data]) => `id: ${id}\nevent: ${name}\ndata: ${JSON.stringify(data)}\n\n: alive\n\n`).join("");

/** A response whose bytes come `size` at a time, Hangul cut in the middle, and which then ends or breaks. */
function stream(text, size, { breaks = false } = {}) {
  const bytes = new TextEncoder().encode(text);
  let at = 0;
  return new Response(
    new ReadableStream({
      pull(controller) {
        if (at < bytes.length) {
          controller.enqueue(bytes.slice(at, at + size));
          at += size;
        } else if (breaks) controller.error(new Error("broken"));
        else controller.close();
      },
    }),
  );
}

/** What a page hears of a turn, and how it ended. */
async function followed(first, { leavesAfter = "" } = {}) {
  const heard = [];
  const told = [];
  const page = new AbortController();
  const whole = await follow("b1", 1, first, {
    signal: page.signal,
    heard: (name, data) => {
      heard.push([name, data]);
      if (name === leavesAfter) page.abort();
      return name === "done";
    },
    broken: () => told.push("broken"),
    back: () => told.push("back"),
  });
  return { whole, heard, told };
}

const ALL = EVENTS.map(([, name, data]) => [name, data]);

test("events are whole wherever the bytes are cut", async () => {
  for (const size of [1, 2, 7, 64, 4096]) {
    assert.deepEqual(await followed(stream(written(EVENTS), size)), { whole: true, heard: ALL, told: [] });
  }
});

test("a broken stream is picked up after the last event that was heard", async () => {
  serve(() => stream(written(EVENTS.slice(2)), 4096));
  const { whole, heard, told } = await followed(stream(written(EVENTS.slice(0, 2)), 5, { breaks: true }));
  assert.deepEqual([whole, heard, told], [true, ALL, ["broken", "back"]]);
  assert.deepEqual(
    asked.map(({ path, headers }) => [path, headers["last-event-id"]]),
    [["/api/v1/battles/b1/turns/1/stream", "2"]],
  );
});

test("a stream that the server no longer has ends without the end of the turn", async () => {
  serve(() => Response.json({ code: "not_found", ko: "없습니다", en: "not found" }, { status: 404 }));
  assert.deepEqual(await followed(null), { whole: false, heard: [], told: [] });
});

test("a page that has gone on to something else hears no more, and asks no more", async () => {
  serve(() => assert.fail("nothing is asked"));
  const heard = await followed(stream(written(EVENTS.slice(0, 1)), 4096, { breaks: true }), { leavesAfter: "turn" });
  assert.deepEqual(heard, { whole: true, heard: ALL.slice(0, 1), told: [] });
});
