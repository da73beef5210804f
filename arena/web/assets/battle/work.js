// The small work that is asked of a browser while much is done around it: begun while its citizen reads or types, so
// that it is over before they send.
/** @import { Challenge } from "../../answers.d.ts" */
import { getChallenge, refusal } from "./api.js";

/** A challenge is good for ten minutes; what was worked for half of them is not begun anew. */
const FRESH_MS = 5 * 60_000;
/** The price may have risen meanwhile; it doubles no faster than anybody works. */
const TRIES = 5;
const PATIENCE_MS = 800;

/** @typedef {"session" | "battle"} Act */
/** @typedef {{ at: number, due: Promise<Challenge | null>, proof: Promise<string | undefined> }} Work */
/** @type {Partial<Record<Act, Work>>} */
const begun = {};

/** @param {Promise<Challenge | null>} due */
async function work(due) {
  const challenge = await due;
  if (!challenge) return undefined;
  const { solve } = await import("./later/proof.js");
  return solve(challenge);
}

/**
 * Begins with what is due before this act, unless that has begun.
 * @param {Act} act
 * @returns {Work}
 */
export function prepareWork(act) {
  const at = performance.now();
  const before = begun[act];
  if (before && at - before.at < FRESH_MS) return before;
  const due = getChallenge(act);
  const mine = { at, due, proof: work(due) };
  // Whoever types without a connection hears of it when they send.
  mine.proof.catch(() => begun[act] === mine && delete begun[act]);
  begun[act] = mine;
  return mine;
}

/**
 * Does an act with the work that is due, however often the price rises meanwhile.
 * @template Done
 * @param {Act} act
 * @param {(proof?: string) => Promise<Done>} run
 * @param {() => void} slow called when the work takes longer than anybody would notice
 * @returns {Promise<Done>}
 */
export async function withWork(act, run, slow) {
  for (let tried = 1; ; tried += 1) {
    const { due, proof } = prepareWork(act);
    const patience = (await due) ? setTimeout(slow, PATIENCE_MS) : undefined;
    try {
      const shown = await proof;
      delete begun[act];
      return await run(shown);
    } catch (caught) {
      if (refusal(caught).code !== "proof_needed" || tried === TRIES) throw caught;
    } finally {
      clearTimeout(patience);
    }
  }
}
