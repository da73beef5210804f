// The one line above the bar that tells how the battle goes, and what can be done about it.
import { announce, byId, el } from "./dom.js";

/** Whoever pressed something that is gone goes on at what it led to. */
export const focusMessage = () => byId("arena-message").querySelector("button")?.focus({ preventScroll: true });

const PASSING_MS = 6000;
let passing = 0;

/**
 * @typedef {{ label: string, run: () => unknown, quiet?: boolean }} Action `quiet`: something else is the next step
 *
 * @param {string} text
 * @param {{ alert?: boolean, passes?: boolean, action?: Action | null, aloud?: string }} [how]
 *   `passes`: it goes by itself; `aloud` is said to a screen reader instead
 */
export function say(text, { alert = false, passes = false, action = null, aloud = text } = {}) {
  const message = byId("arena-message");
  clearTimeout(passing);
  message.replaceChildren(el("span", {}, text));
  message.classList.toggle("arena-alert", alert);
  message.hidden = !text;
  if (action) {
    const strength = action.quiet ? "arena-button" : "arena-primary";
    message.append(el("button", { type: "button", class: strength, on: { click: action.run } }, action.label));
  }
  if (passes) passing = setTimeout(() => say("", { aloud: "" }), PASSING_MS);
  if (aloud) announce(aloud);
}
