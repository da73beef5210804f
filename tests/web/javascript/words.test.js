// Words, refusals and what the page knows: the small things that everything else stands on.
import assert from "node:assert/strict";
import test from "node:test";
import { asked, serve } from "./page.js";

const { call, post } = await import("../../../arena/web/assets/battle/api.js");
const { change, isOpen, onChange, state } = await import("../../../arena/web/assets/battle/state.js");
const { loadWords, number, pick, t } = await import("../../../arena/web/assets/battle/words.js");

test("a word is filled in everywhere, and one that is missing shows its key", async () => {
  serve(() => Response.json({ chars: "{n}/{max}자, {n}" }));
  await loadWords();
  assert.equal(t("chars", { n: 3, max: 10 }), "3/10자, 3");
  assert.equal(t("nothing"), "nothing");
  assert.equal(pick({ ko: "가", en: "a" }), "가");
  assert.equal(number(12345), "12,345");
});

test("a refusal speaks the reader's language and keeps its code", async () => {
  serve(() => Response.json({ code: "too_many", ko: "잠시 뒤에", en: "later" }, { status: 429 }));
  await assert.rejects(post("/battles"), { code: "too_many", message: "잠시 뒤에" });
  assert.deepEqual(asked[0].headers, { "accept-language": "ko", "content-type": "application/json" });
});

test("no connection, and an answer that is no JSON, are refusals too", async () => {
  serve(() => {
    throw new TypeError("failed to fetch");
  });
  await assert.rejects(call("/stage"), { code: "offline" });
  serve(() => new Response("<html>", { status: 502 }));
  await assert.rejects(call("/stage"), { code: "offline" });
});

test("whoever listens hears the state as it is after the change", () => {
  const heard = [];
  onChange((now) => heard.push([now.busy, now.chosen]));
  change({ busy: true, chosen: "tie" });
  change();
  assert.deepEqual(heard, [
    [true, "tie"],
    [true, "tie"],
  ]);
  assert.equal(isOpen(), false);
  state.stage = { state: "open" };
  assert.equal(isOpen(), true);
});
