// The answer to a vote, checked as its citizen's browser checks it; receipt.json is what the ledger itself made.
import assert from "node:assert/strict";
import { createHash, generateKeyPairSync, sign } from "node:crypto";
import { readFileSync } from "node:fs";
import test from "node:test";
import { serve } from "./page.js";

globalThis.location = { origin: "https://arena.example" };
const { computed } = await import("../../../arena/web/assets/battle/sha256.js");
const { fileOf, problemsOf, receiptOf } = await import("../../../arena/web/assets/battle/confirmation.js");
const { signed } = await import("../../../arena/web/assets/battle/jws.js");

const { vote, jwks } = JSON.parse(readFileSync(new URL("../../data/receipt.json", import.meta.url), "utf-8"));
const { battle } = JSON.parse(vote.record);
const { winner: chosen, ...told } = vote;
const given = { battle, chosen, ...told };
const ORDER = BigInt("0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551");

/** A promise by another pair than the arena's, under the arena's name. */
function strangers(payload) {
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
  for (;;) {
    const body = `${part({ alg: "ES256", kid: jwks.keys[0].kid })}.${part(payload)}`;
    const raw = sign("sha256", Buffer.from(body), { key: privateKey, dsaEncoding: "ieee-p1363" });
    if (BigInt(`0x${raw.toString("hex", 32)}`) <= ORDER / 2n) return `${body}.${raw.toString("base64url")}`;
  }
}

const payload = JSON.parse(Buffer.from(vote.promise.split(".")[1], "base64url").toString());

test("our own SHA-256 is SHA-256, for every length around the ends of its blocks", () => {
  for (let length = 0; length < 200; length += 1) {
    const data = Uint8Array.from({ length }, (_, n) => (n * 7 + length) % 256);
    assert.equal(Buffer.from(computed(data)).toString("hex"), createHash("sha256").update(data).digest("hex"));
  }
});

test("what the arena answers to a vote fits what was clicked, with the browser's SHA-256 and with ours", async () => {
  serve(() => Response.json(jwks));
  assert.deepEqual(await problemsOf(given), []);
  assert.equal(await receiptOf(vote.record), vote.receipt);
  const { crypto } = globalThis;
  Object.defineProperty(globalThis, "crypto", { value: {}, configurable: true });
  try {
    assert.equal(await receiptOf(vote.record), vote.receipt);
    assert.deepEqual(await problemsOf(given), []);
    assert.deepEqual(await problemsOf({ ...given, chosen: "tie" }), ["winner"]);
  } finally {
    Object.defineProperty(globalThis, "crypto", { value: crypto, configurable: true });
  }
});

test("whatever does not fit is found and named", async () => {
  serve(() => Response.json(jwks));
  const cases = {
    record: { ...given, record: vote.record.replace('"turns":1', '"turns":2') },
    battle: { ...given, battle: "another" },
    winner: { ...given, chosen: "both_bad" },
    promise: { ...given, promise: strangers(payload) },
  };
  for (const [problem, answer] of Object.entries(cases)) assert.deepEqual(await problemsOf(answer), [problem]);
  for (const wrong of [{ receipt: "0".repeat(64) }, { stage: "x" }, { cast_at: "x" }, { schema: "kai.checkpoint/2" }])
    assert.deepEqual(await problemsOf({ ...given, promise: strangers({ ...payload, ...wrong }) }), ["promise"]);
  for (const promise of ["", "a.b.c", "..", undefined, vote.promise.slice(0, -3)])
    assert.deepEqual(await problemsOf({ ...given, promise }), ["promise"]);
  assert.deepEqual(await problemsOf({ ...given, record: "no" }), ["record"]);
  assert.deepEqual(await problemsOf({ ...given, record: undefined }), ["record"]);
});

test("a signature is taken in one form only", async () => {
  assert.equal(await signed(vote.promise, jwks.keys), true);
  const [header, body, signature] = vote.promise.split(".");
  const raw = Buffer.from(signature, "base64url");
  const high = ORDER - BigInt(`0x${raw.toString("hex", 32)}`);
  const other = Buffer.concat([raw.subarray(0, 32), Buffer.from(high.toString(16).padStart(64, "0"), "hex")]);
  assert.equal(await signed(`${header}.${body}.${other.toString("base64url")}`, jwks.keys), false);
  const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  const slack = signature.slice(0, -1) + letters[letters.indexOf(signature.at(-1)) + 1];
  assert.deepEqual(Buffer.from(slack, "base64url"), raw);
  assert.equal(await signed(`${header}.${body}.${slack}`, jwks.keys), false);
});

test("the file holds all that the server said, what was clicked, and the key's name", async () => {
  const file = fileOf(given);
  assert.equal(file.name, `vote-confirmation-${vote.receipt.slice(0, 8)}.json`);
  const kept = JSON.parse(await file.text());
  const { kid } = jwks.keys[0];
  assert.deepEqual(kept, { schema: "kai.confirmation/1", arena: "https://arena.example", ...given, kid });
  assert.equal(JSON.parse(await fileOf({ ...given, promise: undefined }).text()).kid, null);
});
