// The hint about personal data, while it is typed.
import assert from "node:assert/strict";
import test from "node:test";
import { personalIn } from "../../../arena/web/assets/battle/personal.js";

test("a resident registration number stops the prompt, however it is written", () => {
  for (const text of [
    "900101-1234567",
    "9001011234567",
    "번호는 900101 – 1234567 입니다",
    "９００１０１－１２３４５６７",
  ])
    assert.equal(personalIn(text).forbidden, true, text);
});

test("what only looks like one does not", () => {
  for (const text of ["901301-1234567", "900132-1234567", "1900101-12345678", "2026-11-26"])
    assert.equal(personalIn(text).forbidden, false, text);
});

test("each kind is named once, in one order", () => {
  assert.deepEqual(personalIn("a.b+c@arena.kr, 010-1234-5678, 1234 5678 1234 5678").kinds, ["phone", "card", "email"]);
  for (const nobody of ["a@example.com", "a@mail.example.kr", "a@b.test"])
    assert.deepEqual(personalIn(`${nobody} 로 예를 들면`).kinds, [], nobody);
  for (const somebody of ["a@example.com.kr", "a@myexample.com", "a@testing.kr"])
    assert.deepEqual(personalIn(somebody).kinds, ["email"], somebody);
  assert.deepEqual(personalIn("02-123-4567").kinds, ["phone"]);
  assert.deepEqual(personalIn("오늘 날씨는 어떤가요? 3.14 1,000,000").kinds, []);
});
