// The proof of work of a new citizen's browser.
import assert from "node:assert/strict";
import { pbkdf2Sync } from "node:crypto";
import test from "node:test";
import { serve } from "./page.js";

const { prove } = await import("../../../arena/web/assets/battle/proof.js");

test("the counter that is found gives a key that begins as the challenge asks", async () => {
  const parameters = { nonce: "00ff10a0", salt: "0a0b0c0d", cost: 10, keyLength: 32, keyPrefix: "0" };
  serve(() => Response.json({ parameters, signature: "s" }));
  const { challenge, solution } = JSON.parse(atob(await prove()));
  assert.deepEqual(challenge, { parameters, signature: "s" });
  const counter = Buffer.alloc(4);
  counter.writeUInt32BE(solution.counter);
  const password = Buffer.concat([Buffer.from(parameters.nonce, "hex"), counter]);
  const key = pbkdf2Sync(password, Buffer.from(parameters.salt, "hex"), 10, 32, "sha256").toString("hex");
  assert.equal(solution.derivedKey, key);
  assert.ok(key.startsWith("0"));
});
