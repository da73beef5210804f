// The proof of work (ALTCHA, version 2: PBKDF2 over a counter). The browser computes in threads of its own: the page
// stays free for whoever types.
/** @import { Challenge } from "../../../answers.d.ts" */
import { bytes, hex } from "./hex.js";

/** So many tries are under way at once: a core is left for the page. */
const AT_ONCE = Math.max(1, Math.min(4, (navigator.hardwareConcurrency ?? 2) - 1));

/**
 * A solved challenge, as `POST /session` and `POST /battles` take it.
 * @param {Challenge} challenge
 */
export async function solve(challenge) {
  const { nonce, salt, cost, keyLength, keyPrefix } = challenge.parameters;
  const start = bytes(nonce);
  const rule = { name: "PBKDF2", hash: "SHA-256", salt: bytes(salt), iterations: cost };
  /** @param {number} counter */
  const derive = async (counter) => {
    const password = new Uint8Array(start.length + 4);
    password.set(start);
    new DataView(password.buffer).setUint32(start.length, counter);
    const key = await crypto.subtle.importKey("raw", password, "PBKDF2", false, ["deriveBits"]);
    return hex(await crypto.subtle.deriveBits(rule, key, keyLength * 8));
  };
  for (let first = 0; ; first += AT_ONCE) {
    const derived = await Promise.all(Array.from({ length: AT_ONCE }, (_, n) => derive(first + n)));
    const found = derived.findIndex((key) => key.startsWith(keyPrefix));
    if (found >= 0)
      return btoa(JSON.stringify({ challenge, solution: { counter: first + found, derivedKey: derived[found] } }));
  }
}
