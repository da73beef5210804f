// What an organizer does: sent to the server, which decides; asked about first where the document says so.
/** @import { Act, ActBody } from "../../answers.d.ts" */
import { el } from "../battle/dom.js";
import { pick, t } from "../battle/words.js";
import { loggedOut, say } from "./messages.js";

export const BASE = "/organizer/console";

/** @type {(() => void)[]} */
const listeners = [];
/** @param {() => void} listener hears of every act that was done */
export const onDone = (listener) => listeners.push(listener);

/**
 * Sends an act and says what became of it; whether it was done.
 * @param {HTMLButtonElement} button
 * @param {string} act
 * @param {ActBody} body
 */
export async function send(button, act, body) {
  button.disabled = true;
  try {
    const answer = await fetch(`${BASE}/acts/${act}`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    });
    const told = await answer.json().catch(() => ({}));
    if (answer.status === 401) loggedOut();
    else say(pick(told) || t("console_failed"), !answer.ok);
    if (answer.ok) for (const listener of listeners) listener();
    return answer.ok;
  } catch {
    say(t("console_unreachable"), true);
    return false;
  } finally {
    button.disabled = false;
  }
}

/** @typedef {Extract<Act, { act: string }>} Doing */

/**
 * @param {HTMLButtonElement} button
 * @param {Doing} doing
 */
export function perform(button, { act, body, label, ask, field }) {
  if (!ask) {
    send(button, act, body);
    return;
  }
  const reason = field
    ? el("input", { id: "c-ask-field", required: true, maxlength: "500", autocomplete: "off" })
    : null;
  const dialog = el("dialog", { class: "c-ask", "aria-label": label });
  const form = el(
    "form",
    { method: "dialog" },
    el("p", {}, ask),
    reason ? el("label", { for: "c-ask-field" }, t("console_why")) : null,
    reason,
    el(
      "menu",
      {},
      el("button", { class: "c-button", type: "button", on: { click: () => dialog.close("no") } }, t("console_cancel")),
      el("button", { class: "c-button c-primary", value: "yes" }, label),
    ),
  );
  dialog.append(form);
  dialog.addEventListener("close", () => {
    dialog.remove();
    button.focus();
    if (dialog.returnValue === "yes")
      send(button, act, field && reason ? { ...body, [field]: reason.value.trim() } : body);
  });
  document.body.append(dialog);
  dialog.showModal();
}
