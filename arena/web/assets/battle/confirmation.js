// The answer to a vote, held against what was clicked before anybody is thanked; and the file that its citizen keeps.
/** @import { OwnVote, PublicKey, Winner } from "../../answers.d.ts" */
import { kept } from "./dom.js";
import { kidOf, payloadOf, signed } from "./jws.js";
import { hex } from "./later/hex.js";
import { sha256 } from "./sha256.js";

/**
 * What a citizen keeps: `chosen` is what they clicked, the rest is the server's word.
 * @typedef {{ battle: string, chosen: Winner, record: string, receipt: string, promise: string }} Confirmation
 *
 * What does not fit: the record is not what the receipt is the hash of, it is of another battle, it says another
 * winner, or the promise is not the arena's or not of this vote.
 * @typedef {"record" | "battle" | "winner" | "promise"} Problem
 */

const CONTESTED = "arena-contested-";
/** @type {Promise<PublicKey[]> | null} */
let published = null;

/** The arena's public keys, asked for once; nothing where they cannot be had. */
export function publicKeys() {
  published ??= fetch("/.well-known/jwks.json").then(async (answer) => (await answer.json()).keys);
  published.catch(() => {
    published = null;
  });
  return published;
}

/** The receipt of a record: the hash of its leaf (RFC 9162, §2.1.1). @param {string} record */
export const receiptOf = async (record) => hex(await sha256(new Uint8Array([0, ...new TextEncoder().encode(record)])));

/**
 * Whether the promise is of this vote, and signed. Without TLS no browser checks signatures, and without the keys none
 * can: then this much stays open, and the file shows it later.
 * @param {Confirmation} given
 * @param {{ stage?: unknown, cast_at?: unknown }} told
 */
async function promised({ receipt, promise }, told) {
  const said = payloadOf(promise);
  if (said.schema !== "kai.promise/1" || said.receipt !== receipt) return false;
  if (said.stage !== told.stage || said.cast_at !== told.cast_at) return false;
  if (!globalThis.crypto?.subtle) return true;
  const keys = await publicKeys().catch(() => null);
  return keys === null || signed(promise, keys);
}

/**
 * Everything about the answer to a vote that is not as it has to be.
 * @param {Confirmation} given
 * @returns {Promise<Problem[]>}
 */
export async function problemsOf(given) {
  /** @type {{ battle?: unknown, winner?: unknown, stage?: unknown, cast_at?: unknown }} */
  let told = {};
  /** @type {Problem[]} */
  const found = [];
  try {
    told = JSON.parse(given.record);
    if ((await receiptOf(given.record)) !== given.receipt) found.push("record");
  } catch {
    return ["record"];
  }
  if (told.battle !== given.battle) found.push("battle");
  if (told.winner !== given.chosen) found.push("winner");
  if (!(await promised(given, told).catch(() => false))) found.push("promise");
  return found;
}

/**
 * The file, as `python -m arena verify --promises` and the page of receipts read it.
 * @param {Confirmation} given
 */
export function fileOf(given) {
  let kid = null;
  try {
    kid = kidOf(given.promise);
  } catch {
    // no promise was given: that is kept too
  }
  const told = { schema: "kai.confirmation/1", arena: location.origin, ...given, kid };
  const name = `vote-confirmation-${String(given.receipt).slice(0, 8)}.json`;
  return new File([`${JSON.stringify(told, null, 1)}\n`], name, { type: "application/json" });
}

/** Keeps what did not fit: it is shown again whenever the battle is. @param {Confirmation} given */
export const contest = (given) => kept.set("localStorage", CONTESTED + given.battle, JSON.stringify(given));

/** What did not fit when this battle was voted on. @param {string} battle @returns {Confirmation | null} */
export function contested(battle) {
  const found = kept.get("localStorage", CONTESTED + battle);
  return found ? JSON.parse(found) : null;
}

/**
 * The owner's vote as it was cast.
 * @param {string} battle
 * @param {OwnVote} vote
 * @returns {Confirmation}
 */
export const confirmationOf = (battle, { winner, record, receipt, promise }) => ({
  battle,
  chosen: winner,
  record,
  receipt,
  promise,
});
