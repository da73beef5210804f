// The arena's signatures (RFC 7515, ES256), in the one form that it makes.
/** @import { PublicKey } from "../../answers.d.ts" */
import { hex } from "./later/hex.js";

/** Half the order of P-256: the higher of the two s that mean the same is not taken. */
const HALF = "7fffffff800000007fffffffffffffffde737d56d38bcf4279dce5617e3192a8";

/** @param {Uint8Array} raw */
export const base64url = (raw) =>
  btoa(String.fromCharCode(...raw))
    .replaceAll("+", "-")
    .replaceAll("/", "_")
    .replaceAll("=", "");

/** @param {string} text */
export const unbase64url = (text) =>
  Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (letter) => letter.charCodeAt(0));

/** @param {string} part */
const json = (part) => JSON.parse(new TextDecoder().decode(unbase64url(part)));

/** The name of the key that a signature says it is by. @param {string} jws @returns {string} */
export const kidOf = (jws) => json(jws.split(".")[0]).kid;

/** What stands in a signature that is whole. @param {string} jws */
export const payloadOf = (jws) => json(jws.split(".")[1]);

/**
 * Whether one of these keys made this signature.
 * @param {string} jws header, payload and signature, parted by dots
 * @param {PublicKey[]} keys
 */
export async function signed(jws, keys) {
  const [header, payload, signature] = jws.split(".");
  const { alg, kid } = json(header);
  const jwk = keys.find((key) => key.kid === kid);
  const raw = unbase64url(signature);
  if (!jwk || alg !== "ES256" || raw.length !== 64 || base64url(raw) !== signature) return false;
  if (hex(raw.slice(32)) > HALF) return false;
  const key = await crypto.subtle.importKey(
    "jwk",
    { kty: jwk.kty, crv: jwk.crv, x: jwk.x, y: jwk.y },
    { name: "ECDSA", namedCurve: "P-256" },
    false,
    ["verify"],
  );
  const body = new TextEncoder().encode(`${header}.${payload}`);
  return crypto.subtle.verify({ name: "ECDSA", hash: "SHA-256" }, key, raw, body);
}
