// The question box: Enter under any input method, counter, personal-data hint, a draft that survives, and questions to
// begin with. It stands in the page that the server sends; this makes it work.
import { buttonById, byId, kept, sure } from "./dom.js";
import { personalIn } from "./personal.js";
import { isOpen, onChange, stage, state } from "./state.js";
import { number, t } from "./words.js";
import { prepareWork } from "./work.js";

const DRAFT = "arena-draft";
const NEAR_LIMIT = 0.8;
const JUST_NOW_MS = 50;
/** A finger's keyboard has no Shift+Enter: there, Enter is a line's end, and the button sends. */
const FINGER = matchMedia("(pointer: coarse)");

export const promptBox = () => sure(document.getElementById("arena-prompt"), HTMLTextAreaElement);

const topicBox = () => document.querySelector("#arena-topic select");

/** What the citizen says the question is about; null where they say nothing. */
export function topic() {
  const box = topicBox();
  return (box instanceof HTMLSelectElement && box.value) || null;
}

/** @param {string} id of a topic, or nothing */
export function setTopic(id) {
  const box = topicBox();
  if (box instanceof HTMLSelectElement) box.value = id;
}

/** @param {string} text */
export function setPrompt(text) {
  const box = promptBox();
  box.value = text;
  box.dispatchEvent(new Event("input", { bubbles: true }));
}

/**
 * What is wrong with the prompt as it stands, or nothing.
 * @param {string} text
 */
function fault(text) {
  const { forbidden, kinds } = personalIn(text);
  if (forbidden) return { text: t("personal_rrn"), stops: true };
  if (kinds.length) {
    const named = kinds.map((kind) => t(`kind_${kind}`)).join(", ");
    return { text: t(`personal_${stage().privacy}`, { kinds: named }), stops: stage().privacy === "ask" };
  }
  return null;
}

export const over = () => Math.max(0, [...promptBox().value.trim()].length - stage().limits.prompt_chars);
export const stopped = () => over() > 0 || Boolean(fault(promptBox().value)?.stops);

function review() {
  const box = promptBox();
  const counter = byId("arena-count");
  const warning = byId("arena-warning");
  const { prompt_chars: max } = stage().limits;
  const length = [...box.value].length;
  const beyond = over();
  counter.textContent = beyond
    ? t("chars_over", { n: number(beyond) })
    : length >= max * NEAR_LIMIT
      ? t("chars", { n: number(length), max: number(max) })
      : "";
  counter.classList.toggle("arena-alert", beyond > 0);
  const found = fault(box.value);
  const said = found?.text ?? "";
  if (warning.textContent !== said) warning.textContent = said;
  warning.classList.toggle("arena-stops", Boolean(found?.stops));
  warning.hidden = !said;
  box.setAttribute("aria-invalid", String(stopped()));
  kept.set("sessionStorage", DRAFT, box.value || null);
  // What the next battle may cost is worked for while its question is written.
  if (length && !state.battle && isOpen() && stage().session?.valid) prepareWork("battle");
  draw();
}

function draw() {
  const { battle, busy } = state;
  const closed = Boolean(battle?.over) || battle?.turnsLeft === 0;
  buttonById("arena-send").disabled = busy || closed || !isOpen() || stopped();
  promptBox().readOnly = closed;
  byId("arena-ask").hidden = !isOpen();
  byId("arena-starters").hidden = !isOpen();
  byId("arena-prompt-label").textContent = t(battle ? "prompt_more" : "prompt");
  const asked = battle?.turnsLeft === 0;
  promptBox().placeholder = t(
    battle?.repeat ? "repeat_waits" : asked ? "turns_none" : battle ? "placeholder_more" : "placeholder",
  );
  const left =
    battle?.repeat && promptBox().value
      ? t("repeat_waits")
      : battle && !battle.over && !asked && battle.turnsLeft <= 3
        ? t("turns_left", { n: battle.turnsLeft })
        : "";
  const hint = byId("arena-hint");
  hint.textContent = left || (FINGER.matches ? "" : t("keys_hint"));
  hint.toggleAttribute("data-keys", !left);
}

/**
 * Enter sends, whatever an input method makes of it.
 *
 * An Enter that ends a syllable is told in two ways. Most browsers say so before the syllable has ended
 * (`isComposing`): what was meant is done when it has. WebKit tells it after the end, as a key 229 of no composition.
 * @param {HTMLTextAreaElement} box
 * @param {() => void} send
 */
function keys(box, send) {
  let sendAfterComposition = false;
  let ended = Number.NEGATIVE_INFINITY;
  box.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || FINGER.matches) return;
    if (event.isComposing) {
      sendAfterComposition = true;
      return;
    }
    if (event.keyCode === 229 && performance.now() - ended > JUST_NOW_MS) return;
    event.preventDefault();
    send();
  });
  box.addEventListener("compositionstart", () => (sendAfterComposition = false));
  box.addEventListener("compositionend", () => {
    ended = performance.now();
    if (!sendAfterComposition) return;
    sendAfterComposition = false;
    setTimeout(() => {
      box.value = box.value.replace(/\n$/, "");
      send();
    });
  });
}

/**
 * Puts a question to begin with, and its topic, in place; the word that is to be changed is selected.
 * @param {Element} starter
 */
function begin(starter) {
  const slot = starter.querySelector("mark");
  setPrompt(starter.textContent ?? "");
  setTopic(sure(starter.closest(".arena-topic"), HTMLElement).dataset.topic ?? "");
  const box = promptBox();
  box.focus();
  if (!slot) return;
  const start = slot.previousSibling?.textContent?.length ?? 0;
  box.setSelectionRange(start, start + (slot.textContent?.length ?? 0));
}

/**
 * Makes the box work.
 * @param {() => void} send called when a question is to be sent
 */
export function prepareComposer(send) {
  const box = promptBox();
  byId("arena-ask").addEventListener("submit", (event) => {
    event.preventDefault();
    send();
  });
  keys(box, send);
  box.addEventListener("input", (event) => {
    // Whoever empties the box asks something else: what a question to begin with was about is no longer so.
    if (event.isTrusted && !box.value) setTopic("");
    review();
  });
  byId("arena-starters").addEventListener("click", (event) => {
    const starter = event.target instanceof Element && event.target.closest("button");
    if (starter) begin(starter);
  });
  onChange(draw);
  const draft = kept.get("sessionStorage", DRAFT);
  // What was typed before this ran stands.
  if (draft && !box.value) setPrompt(draft);
  else review();
}
