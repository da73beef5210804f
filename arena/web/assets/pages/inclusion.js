// The two checks of a receipt's proof: the vote's leaf leads to the fingerprint (RFC 9162, §2.1.3.2), and the arena
// has signed it.
/** @import { PublicKey, TreeHead } from "../../answers.d.ts" */
import { base64url, signed } from "../battle/jws.js";
import { bytes, hex } from "../battle/later/hex.js";

/**
 * @param {Uint8Array} left
 * @param {Uint8Array} right
 */
async function pair(left, right) {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", new Uint8Array([1, ...left, ...right])));
}

/**
 * The root that a leaf and its inclusion path lead to; empty when no path of this length leads from this place.
 * @param {string} leaf the leaf's hash, 64 hexadecimal digits like every other here
 * @param {number} index counts from 0
 * @param {number} size of the tree, in leaves
 * @param {string[]} path
 */
export async function rootOf(leaf, index, size, path) {
  if (index < 0 || index >= size) return "";
  let [node, last] = [index, size - 1];
  let hash = bytes(leaf);
  for (const step of path.map(bytes)) {
    if (last === 0) return "";
    if (node % 2 || node === last) {
      hash = await pair(step, hash);
      while (node % 2 === 0 && node) [node, last] = [Math.floor(node / 2), Math.floor(last / 2)];
    } else hash = await pair(hash, step);
    [node, last] = [Math.floor(node / 2), Math.floor(last / 2)];
  }
  return last === 0 ? hex(hash) : "";
}

/**
 * Whether one of these keys signed the checkpoint (RFC 7515, detached).
 * @param {TreeHead} checkpoint
 * @param {PublicKey[]} keys
 */
export async function signedBy({ jws, ...body }, keys) {
  const [header, nothing, signature] = jws.split(".");
  // Sorted keys and no spaces: of strings and whole numbers this is the canonical JSON that was signed.
  const canonical = JSON.stringify(Object.fromEntries(Object.entries(body).sort(([a], [b]) => (a < b ? -1 : 1))));
  const payload = base64url(new TextEncoder().encode(canonical));
  return nothing === "" && signed(`${header}.${payload}.${signature}`, keys);
}
