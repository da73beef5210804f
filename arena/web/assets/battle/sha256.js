// SHA-256 (FIPS 180-4). Browsers have it only behind TLS and on the own machine; elsewhere it is computed here, for
// texts as short as a vote's record.

const PRIMES = Array.from({ length: 312 }, (_, n) => n).filter((n) => n > 1 && !hasFactor(n));
/** The fractional parts of the cube roots, or the square roots, of the first primes, as 32 bits. */
const fraction = (/** @type {number} */ root) => ((root % 1) * 2 ** 32) >>> 0;
const ROUNDS = PRIMES.slice(0, 64).map((prime) => fraction(Math.cbrt(prime)));
const START = PRIMES.slice(0, 8).map((prime) => fraction(Math.sqrt(prime)));

/** @param {number} n */
function hasFactor(n) {
  for (let factor = 2; factor * factor <= n; factor += 1) if (n % factor === 0) return true;
  return false;
}

/**
 * @param {number} word
 * @param {number[]} turns
 */
const turned = (word, ...turns) => turns.reduce((all, by) => all ^ ((word >>> by) | (word << (32 - by))), 0);

/**
 * One block of 64 bytes worked into the state.
 * @param {Uint32Array} state
 * @param {DataView} block
 */
function compress(state, block) {
  const words = new Uint32Array(64);
  for (let n = 0; n < 16; n += 1) words[n] = block.getUint32(4 * n);
  for (let n = 16; n < 64; n += 1) {
    const [w2, w7, w15, w16] = [words[n - 2], words[n - 7], words[n - 15], words[n - 16]];
    words[n] = (turned(w2, 17, 19) ^ (w2 >>> 10)) + w7 + (turned(w15, 7, 18) ^ (w15 >>> 3)) + w16;
  }
  let [a, b, c, d, e, f, g, h] = state;
  for (let n = 0; n < 64; n += 1) {
    const first = h + turned(e, 6, 11, 25) + ((e & f) ^ (~e & g)) + ROUNDS[n] + words[n];
    const second = turned(a, 2, 13, 22) + ((a & b) ^ (a & c) ^ (b & c));
    [h, g, f, e, d, c, b, a] = [g, f, e, (d + first) >>> 0, c, b, a, (first + second) >>> 0];
  }
  [a, b, c, d, e, f, g, h].forEach((value, n) => {
    state[n] += value;
  });
}

/** @param {Uint8Array<ArrayBuffer>} data */
export function computed(data) {
  const padded = new Uint8Array(64 * Math.ceil((data.length + 9) / 64));
  padded.set(data);
  padded[data.length] = 0x80;
  new DataView(padded.buffer).setUint32(padded.length - 4, data.length * 8);
  const state = Uint32Array.from(START);
  for (let start = 0; start < padded.length; start += 64) compress(state, new DataView(padded.buffer, start, 64));
  const digest = new DataView(new ArrayBuffer(32));
  state.forEach((word, n) => {
    digest.setUint32(4 * n, word);
  });
  return new Uint8Array(digest.buffer);
}

/**
 * The hash of some bytes; 32 of them.
 * @param {Uint8Array<ArrayBuffer>} data
 */
export const sha256 = async (data) =>
  globalThis.crypto?.subtle ? new Uint8Array(await crypto.subtle.digest("SHA-256", data)) : computed(data);
