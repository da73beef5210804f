// Computes a receipt's proof again in the reader's own browser: the fingerprint from the vote's leaf (RFC 9162),
// and the signature over it.

const list = document.getElementById("receipt-proof");
const words = await (await fetch(new URL(`../${list.dataset.language}.json`, import.meta.url))).json();
const bytes = (hex) => Uint8Array.from(hex.match(/../g) ?? [], (pair) => parseInt(pair, 16));
const hex = (buffer) => [...new Uint8Array(buffer)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
const base64url = (raw) =>
  btoa(String.fromCharCode(...raw))
    .replaceAll("+", "-")
    .replaceAll("/", "_")
    .replaceAll("=", "");
const unbase64url = (text) =>
  Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (letter) => letter.charCodeAt(0));

async function pair(left, right) {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", new Uint8Array([1, ...left, ...right])));
}

async function rootOf(leaf, index, size, path) {
  let [node, last, hash] = [index, size - 1, bytes(leaf)];
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

async function signed({ jws, ...body }) {
  const [header, , signature] = jws.split(".");
  const { kid } = JSON.parse(new TextDecoder().decode(unbase64url(header)));
  const { keys } = await (await fetch("/.well-known/jwks.json")).json();
  const jwk = keys.find((key) => key.kid === kid);
  const key = await crypto.subtle.importKey(
    "jwk",
    { kty: jwk.kty, crv: jwk.crv, x: jwk.x, y: jwk.y },
    { name: "ECDSA", namedCurve: "P-256" },
    false,
    ["verify"],
  );
  // Sorted keys and no spaces: of strings and whole numbers this is the canonical JSON that was signed.
  const canonical = JSON.stringify(Object.fromEntries(Object.entries(body).sort(([a], [b]) => (a < b ? -1 : 1))));
  const payload = new TextEncoder().encode(`${header}.${base64url(new TextEncoder().encode(canonical))}`);
  return crypto.subtle.verify({ name: "ECDSA", hash: "SHA-256" }, key, unbase64url(signature), payload);
}

function show(items) {
  list.replaceChildren(
    ...items.map(([good, word]) => {
      const item = document.createElement("li");
      item.className = good ? "arena-ok" : "arena-bad";
      item.textContent = words[word];
      return item;
    }),
  );
}

try {
  const proof = await (await fetch(`/api/v1/receipts/${list.dataset.receipt}`)).json();
  const rootGood =
    (await rootOf(proof.receipt, proof.leaf_index, proof.checkpoint.size, proof.inclusion_path)) ===
    proof.checkpoint.root;
  const signatureGood = await signed(proof.checkpoint);
  show([
    [rootGood, rootGood ? "receipt_root_ok" : "receipt_proof_bad"],
    [signatureGood, signatureGood ? "receipt_signature_ok" : "receipt_proof_bad"],
  ]);
} catch {
  show([[false, "receipt_proof_bad"]]);
}
