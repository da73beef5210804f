// What the page knows just now, and who wants to hear when it changes.

export const SIDES = ["a", "b"];
export const WINNERS = ["model_a", "model_b", "tie", "both_bad"];

export const state = {
  stage: null,
  /** `{id, over, turnsLeft, prompt}`; `prompt` is the last one sent. */
  battle: null,
  busy: false,
  votable: false,
  /** The winner that was picked and is not cast yet. */
  chosen: null,
};

const listeners = [];
export const onChange = (listener) => listeners.push(listener);
export function change(values = {}) {
  Object.assign(state, values);
  for (const listener of listeners) listener(state);
}

export const isOpen = () => state.stage?.status === "open";
