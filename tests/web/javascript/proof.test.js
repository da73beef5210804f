// The proof of work of a browser, and when it is asked for.
import assert from "node:assert/strict";
import { pbkdf2Sync } from "node:crypto";
import test from "node:test";
import { asked, serve } from "./page.js";

const { solve } = await import("../../../arena/web/assets/battle/later/proof.js");

test("the counter that is found gives a key that begins as the challenge asks", async () => {
  const parameters = { nonce: "00ff10a0", salt: "0a0b0c0d", cost: 10, keyLength: 32, keyPrefix: "0" };
  const { challenge, solution } = JSON.parse(atob(await solve({ parameters, signature: "s" })));
  assert.deepEqual(challenge, { parameters, signature: "s" });
  const counter = Buffer.alloc(4);
  counter.writeUInt32BE(solution.counter);
  const password = Buffer.concat([Buffer.from(parameters.nonce, "hex"), counter]);
  const key = pbkdf2Sync(password, Buffer.from(parameters.salt, "hex"), 10, 32, "sha256").toString("hex");
  assert.equal(solution.derivedKey, key);
  assert.ok(key.startsWith("0"));
});

const { prepareWork, withWork } = await import("../../../arena/web/assets/battle/work.js");
const parameters = { nonce: "00ff10a0", salt: "0a0b0c0d", cost: 1, keyLength: 32, keyPrefix: "" };
const refused = (code) => Response.json({ code }, { status: 403 });
const { openBattle } = await import("../../../arena/web/assets/battle/api.js");
const draw = (proof) => openBattle(null, proof);

test("where no work is due an act costs one look, taken while its citizen types", async () => {
  serve((path) =>
    path.includes("challenge") ? new Response(null, { status: 204 }) : Response.json({ battle_id: "b" }),
  );
  for (let key = 0; key < 5; key += 1) prepareWork("battle");
  assert.equal((await withWork("battle", draw, assert.fail)).battle_id, "b");
  assert.deepEqual(
    asked.map(({ path }) => path),
    ["/api/v1/challenge?act=battle", "/api/v1/battles"],
  );
  assert.equal(JSON.parse(asked[1].body).proof, undefined);
});

test("a price that rose meanwhile is worked for again, and another refusal is told", async () => {
  let opened = 0;
  serve((path) => {
    if (path.includes("challenge")) return Response.json({ parameters, signature: "s" });
    opened += 1;
    return opened < 3 ? refused("proof_needed") : Response.json({ battle_id: "b" });
  });
  assert.equal((await withWork("battle", draw, assert.fail)).battle_id, "b");
  const proofs = asked.filter(({ path }) => path.endsWith("/battles")).map(({ body }) => JSON.parse(body).proof);
  assert.equal(proofs.length, 3);
  for (const proof of proofs) assert.equal(JSON.parse(atob(proof)).challenge.signature, "s");
  serve((path) => (path.includes("challenge") ? new Response(null, { status: 204 }) : refused("consent_needed")));
  await assert.rejects(withWork("battle", draw, assert.fail), { code: "consent_needed" });
  assert.equal(asked.length, 2);
});

test("what could not be begun without a connection is begun again", async () => {
  serve(() => Promise.reject(new TypeError("offline")));
  await assert.rejects(prepareWork("session").proof, { code: "offline" });
  serve(() => new Response(null, { status: 204 }));
  assert.equal(await prepareWork("session").proof, undefined);
  assert.equal(asked.length, 1);
});
