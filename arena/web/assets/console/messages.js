// The one line that tells what became of an act, or of the connection.
import { el } from "../battle/dom.js";
import { t } from "../battle/words.js";

const CALM_MS = 8000;
/** @type {ReturnType<typeof setTimeout> | undefined} */
let calm;

/**
 * @param {string} text
 * @param {boolean} [wrong] stays until something else is said
 */
export function say(text, wrong = false) {
  const box = document.getElementById("console-message");
  if (!box) return;
  clearTimeout(calm);
  box.textContent = text;
  box.classList.toggle("c-wrong", wrong);
  if (text && !wrong) calm = setTimeout(() => say(""), CALM_MS);
}

export function loggedOut() {
  say(`${t("console_logged_out")} `, true);
  document
    .getElementById("console-message")
    ?.append(el("a", { href: "/organizer/login", class: "c-link" }, t("console_log_in")));
}
