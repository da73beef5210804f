// A receipt's proof, checked as the reader's browser checks it; receipt.json is what the ledger itself made.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import test from "node:test";

const { rootOf, signedBy } = await import("../../../arena/web/assets/pages/inclusion.js");

const sha256 = (...parts) => createHash("sha256").update(Buffer.concat(parts)).digest();
const leaves = (n) => Array.from({ length: n }, (_, i) => sha256(Buffer.from([0]), Buffer.from(String(i))));
const half = (n) => 2 ** Math.floor(Math.log2(n - 1));

/** The root over these leaves, as RFC 9162 §2.1.1 defines it. */
const root = (own) =>
  own.length === 1
    ? own[0]
    : sha256(Buffer.from([1]), root(own.slice(0, half(own.length))), root(own.slice(half(own.length))));

/** The inclusion path of a leaf, as §2.1.3.1 defines it. */
function path(m, own) {
  if (own.length === 1) return [];
  const k = half(own.length);
  return m < k
    ? [...path(m, own.slice(0, k)), root(own.slice(k))]
    : [...path(m - k, own.slice(k)), root(own.slice(0, k))];
}

const HELD = JSON.parse(readFileSync(new URL("../../data/receipt.json", import.meta.url), "utf-8"));

test("every leaf of every small tree leads to its root, and to no other place's", async () => {
  for (let size = 1; size <= 20; size += 1) {
    const own = leaves(size);
    const wanted = root(own).toString("hex");
    for (let index = 0; index < size; index += 1) {
      const leaf = own[index].toString("hex");
      const steps = path(index, own).map((step) => step.toString("hex"));
      assert.equal(await rootOf(leaf, index, size, steps), wanted);
      if (size === 1) continue;
      assert.notEqual(await rootOf(own[(index + 1) % size].toString("hex"), index, size, steps), wanted);
      assert.notEqual(await rootOf(leaf, index, size, steps.slice(1)), wanted);
      assert.notEqual(await rootOf(leaf, index, size, [...steps, leaf]), wanted);
    }
    assert.equal(await rootOf(own[0].toString("hex"), size, size, []), "");
  }
});

test("what the ledger proves and signs holds in the browser", async () => {
  const { receipt, leaf_index, inclusion_path, checkpoint } = HELD.proof;
  assert.equal(await rootOf(receipt, leaf_index, checkpoint.size, inclusion_path), checkpoint.root);
  assert.equal(await signedBy(checkpoint, HELD.jwks.keys), true);
});

test("a checkpoint that was changed, and a key that is not the arena's, are not believed", async () => {
  const { checkpoint } = HELD.proof;
  const { keys } = HELD.jwks;
  assert.equal(await signedBy({ ...checkpoint, size: checkpoint.size + 1 }, keys), false);
  assert.equal(await signedBy({ ...checkpoint, root: "00".repeat(32) }, keys), false);
  assert.equal(await signedBy({ ...checkpoint, more: "" }, keys), false);
  assert.equal(await signedBy(checkpoint, []), false);
  const other = await crypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, true, ["sign", "verify"]);
  const jwk = await crypto.subtle.exportKey("jwk", other.publicKey);
  assert.equal(await signedBy(checkpoint, [{ ...jwk, kid: keys[0].kid }]), false);
});
