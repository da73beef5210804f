// What the page knows just now, and who wants to hear when it changes.
/** @import { Side, Stage, Winner } from "../../answers.d.ts" */

/** @type {readonly Side[]} */
export const SIDES = ["a", "b"];
/** As they stand on the page. @type {readonly Winner[]} */
export const WINNERS = ["model_a", "tie", "both_bad", "model_b"];

/**
 * @template Each
 * @param {(side: Side) => Each} make
 * @returns {Record<Side, Each>}
 */
export const bySide = (make) => ({ a: make("a"), b: make("b") });

/**
 * A battle on this page: no `id` while it is being drawn; `prompt` is the last one sent; a `repeat` is an earlier one
 * shown again.
 * @typedef {{ id: string | null, over: boolean, turnsLeft: number, prompt?: string, repeat?: boolean }} Battle
 *
 * `chosen` is the winner that was picked and is not cast yet.
 * @typedef {{
 *   stage: Stage | null, battle: Battle | null, busy: boolean, votable: boolean, chosen: Winner | null,
 * }} State
 */

/** @type {State} */
export const state = { stage: null, battle: null, busy: false, votable: false, chosen: null };

/** The stage; nothing is asked before it is known. */
export function stage() {
  if (state.stage) return state.stage;
  throw new Error("the stage is not known yet");
}

/** @type {((state: State) => void)[]} */
const listeners = [];
/** @param {(state: State) => void} listener */
export const onChange = (listener) => listeners.push(listener);
/** @param {Partial<State>} [values] */
export function change(values = {}) {
  Object.assign(state, values);
  for (const listener of listeners) listener(state);
}

/**
 * What the bar at the bottom is for.
 * @param {State} state
 */
export function phase({ battle, busy, votable, chosen }) {
  if (!battle) return "begin";
  if (battle.over) return "over";
  if (chosen) return "chosen";
  if (busy) return "answering";
  return votable ? "voting" : "asking";
}

/** Whether a question can be asked: while draws are paused, only in a battle that has begun. */
export function isOpen() {
  const now = state.stage?.state;
  return now === "open" || (now === "paused" && state.battle !== null);
}
