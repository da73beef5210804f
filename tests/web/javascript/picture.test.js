// The picture of a battle: what is on it, how its lines break, and where everything stands.
import assert from "node:assert/strict";
import test from "node:test";
import { serve } from "./page.js";

const { layout, wrap, INK } = await import("../../../arena/web/assets/battle/later/layout.js");
const { shownOf } = await import("../../../arena/web/assets/battle/later/picture.js");
const { state } = await import("../../../arena/web/assets/battle/state.js");
const { loadWords } = await import("../../../arena/web/assets/battle/words.js");

const wide = (text) => text.length;
const measure = (text, { size }) => text.length * size * 0.6;
const SHOWN = {
  brand: "K-AI",
  stage: "1차",
  question: "수도는?",
  names: { a: "답변 A", b: "답변 B" },
  answers: { a: "서울", b: "한양" },
  vote: "A가 더 좋아요",
  chosen: "a",
  note: "AI가 썼어요",
  address: "arena.example.kr",
};

test("lines break between words, and no line is too wide", () => {
  assert.deepEqual(wrap("one two three", wide, 8, 9), ["one two ", "three"]);
  assert.deepEqual(wrap("가나다라마바사", wide, 3, 9), ["가나다", "라마바", "사"]);
  assert.deepEqual(wrap("a\n\n  \nb", wide, 8, 9), ["a", "b"]);
  assert.deepEqual(wrap("", wide, 8, 9), []);
  for (const width of [1, 2, 5, 13])
    for (const line of wrap("the quick brown fox 아주긴낱말하나 jumps", wide, width, 99))
      assert.ok(line.length <= width, `${width}: ${line}`);
});

test("nothing is lost but what is beyond the last line, and that is said", () => {
  const text = "하나 둘 셋 넷 다섯 여섯";
  assert.equal(wrap(text, wide, 4, 99).join(""), text);
  assert.deepEqual(wrap("하나 둘 셋 넷", wide, 3, 2), ["하나 ", "둘…"]);
  assert.deepEqual(wrap("하나 둘", wide, 3, 2), ["하나 ", "둘"]);
});

test("everything stands on the picture, one beneath the other, and long answers make it taller", () => {
  const long = { ...SHOWN, question: "왜 ".repeat(200), answers: { a: "길게 ".repeat(500), b: "" } };
  for (const shown of [SHOWN, long]) {
    const { width, height, cards, lines } = layout(shown, measure);
    assert.equal(cards.length, 2);
    const [left, right] = cards;
    assert.ok(left.x + left.width < right.x && right.x + right.width < width);
    const bottom = left.y + left.height;
    const question = lines.filter((line) => line.size === 34);
    assert.ok(Math.max(...question.map((line) => line.y)) + 34 <= left.y);
    for (const line of lines.filter((each) => each.size === 26)) {
      assert.ok(line.y + line.size <= bottom);
      assert.ok(line.x + measure(line.text, line) <= (line.x < right.x ? left.x + left.width : right.x + right.width));
    }
    for (const line of lines) {
      assert.ok(line.x >= 64 && line.x + measure(line.text, line) <= width - 64 + 1e-9, line.text);
      assert.ok(line.y + line.size <= height, line.text);
    }
    for (const said of [shown.note, shown.address]) assert.ok(lines.some((line) => line.text === said));
  }
  assert.ok(layout(long, measure).height > layout(SHOWN, measure).height);
});

test("the side that was chosen is framed, and a tie frames neither", () => {
  const edges = (chosen) => layout({ ...SHOWN, chosen }, measure).cards.map((card) => card.edge);
  assert.deepEqual(edges("a"), [INK.a, INK.line]);
  assert.deepEqual(edges("b"), [INK.line, INK.b]);
  assert.deepEqual(edges(null), [INK.line, INK.line]);
});

test("a picture shows teams only after the reveal, and nothing of whoever voted", async () => {
  serve(() => Response.json({ answer_a: "답변 A", answer_b: "답변 B", your_vote: "내 투표", tie: "비슷해요" }));
  await loadWords();
  state.stage = { title: { ko: "1차 평가" }, synthetic: true };
  const answers = { a: { html: "<p>서울</p>" }, b: { html: "<p>한양</p>" } };
  const battle = {
    battle_id: "b1",
    receipt: "r1",
    turns: [{ prompt: "이전" }, { prompt: "수도는?", answers }],
    reveal: null,
  };
  const text = (html) => html.replaceAll(/<.*?>/g, "");
  const hidden = shownOf(battle, "tie", text, "arena.example.kr");
  assert.deepEqual(hidden, {
    brand: "brand",
    stage: "1차 평가 · synthetic_label",
    question: "수도는?",
    names: { a: "답변 A", b: "답변 B" },
    answers: { a: "서울", b: "한양" },
    vote: "내 투표: 비슷해요",
    chosen: null,
    note: "ai_note",
    address: "arena.example.kr",
  });
  const reveal = { a: { team: { ko: "가람" } }, b: { team: { ko: "나래" } } };
  const seen = shownOf({ ...battle, reveal }, "model_b", text);
  assert.deepEqual([seen.names, seen.chosen], [{ a: "A · 가람", b: "B · 나래" }, "b"]);
  assert.deepEqual([shownOf(battle, null, text).vote, shownOf(battle, null, text).chosen], [null, null]);
});
