// The prompt box: Enter under any input method, counter, personal-data hint, a draft that survives,
// and questions to begin with.
import { byId, el, kept } from "./dom.js";
import { personalIn } from "./personal.js";
import { isOpen, onChange, state } from "./state.js";
import { number, pick, t } from "./words.js";

const DRAFT = "arena-draft";
const NEAR_LIMIT = 0.8;

/** @returns {HTMLTextAreaElement} */
export const promptBox = () => document.querySelector("#arena-prompt textarea");

let counter;
let warning;
let hint;

/** Puts text into the box, Gradio's own state included. */
export function setPrompt(text) {
  const box = promptBox();
  box.value = text;
  box.dispatchEvent(new Event("input", { bubbles: true }));
}

/** What is wrong with the prompt as it stands, or nothing. */
function fault(text) {
  const { forbidden, kinds } = personalIn(text);
  if (forbidden) return { text: t("personal_rrn"), stops: true };
  if (kinds.length) {
    const named = kinds.map((kind) => t(`kind_${kind}`)).join(", ");
    return { text: t(`personal_${state.stage.privacy}`, { kinds: named }), stops: state.stage.privacy === "ask" };
  }
  return null;
}

export const over = () => Math.max(0, [...promptBox().value.trim()].length - state.stage.limits.prompt_chars);
export const stopped = () => over() > 0 || Boolean(fault(promptBox().value)?.stops);

function review() {
  const box = promptBox();
  const { prompt_chars: max } = state.stage.limits;
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
  warning.hidden = !said;
  box.setAttribute("aria-invalid", String(stopped()));
  kept.set("sessionStorage", DRAFT, box.value || null);
  draw();
}

function draw() {
  const { battle, busy } = state;
  const closed = Boolean(battle?.over) || battle?.turnsLeft === 0;
  byId("arena-send").disabled = busy || closed || !isOpen() || stopped();
  byId("arena-stop").disabled = !busy;
  byId("arena-stop").hidden = !busy;
  byId("arena-send").hidden = busy;
  byId("arena-ask").hidden = Boolean(battle?.over) || Boolean(state.chosen) || !isOpen();
  promptBox().readOnly = closed;
  byId("arena-starters").hidden = !isOpen();
  const caption = document.querySelector("#arena-prompt span[data-testid='block-info']");
  if (caption) caption.textContent = t(battle ? "prompt_more" : "prompt");
  const left =
    battle && !battle.over
      ? battle.turnsLeft === 0
        ? t("turns_none")
        : battle.turnsLeft <= 3
          ? t("turns_left", { n: battle.turnsLeft })
          : ""
      : "";
  hint.textContent = left || t("keys_hint");
  hint.toggleAttribute("data-keys", !left);
}

function keys(box, send) {
  // A composing Enter ends the syllable; what was meant by it is done when the composition has ended.
  let sendAfterComposition = false;
  box.addEventListener(
    "keydown",
    (event) => {
      if (event.key !== "Enter") return;
      event.stopImmediatePropagation();
      if (event.shiftKey) return;
      if (event.isComposing || event.keyCode === 229) {
        sendAfterComposition = true;
        return;
      }
      event.preventDefault();
      send();
    },
    true,
  );
  // Gradio's box would send on Shift+Enter.
  box.addEventListener("keypress", (event) => event.key === "Enter" && event.stopImmediatePropagation(), true);
  box.addEventListener("compositionend", () => {
    if (!sendAfterComposition) return;
    sendAfterComposition = false;
    setTimeout(() => {
      box.value = box.value.replace(/\n$/, "");
      send();
    });
  });
}

function begin(text) {
  const start = text.indexOf("[");
  const end = text.indexOf("]");
  setPrompt(text.replace("[", "").replace("]", ""));
  const box = promptBox();
  box.focus();
  if (start >= 0) box.setSelectionRange(start, end - 1);
}

function starters() {
  const topics = state.stage.starters.map(({ topic, prompts }) =>
    el(
      "section",
      { class: "arena-topic" },
      el("h3", {}, pick(topic)),
      el(
        "ul",
        {},
        ...prompts.map((prompt) => {
          const [before, slot, after] = pick(prompt).split(/\[|\]/);
          const label = slot === undefined ? [before] : [before, el("mark", {}, slot), after];
          return el("li", {}, el("button", { type: "button", on: { click: () => begin(pick(prompt)) } }, ...label));
        }),
      ),
    ),
  );
  byId("arena-starters").replaceChildren(
    el("h2", {}, t("starters")),
    el("p", { class: "arena-soft" }, t("starters_hint")),
    el("div", { class: "arena-topics" }, ...topics),
  );
}

/** Makes the box ours; `send()` is called when a question is to be sent. */
export function prepareComposer(send) {
  const box = promptBox();
  counter = el("span", { id: "arena-count", role: "status" });
  hint = el("span", { id: "arena-hint" });
  warning = el("p", { id: "arena-warning", class: "arena-warning", role: "status", hidden: true });
  byId("arena-prompt").after(warning);
  byId("arena-send-row").prepend(el("div", { class: "arena-under" }, hint, counter));
  box.placeholder = t("placeholder");
  box.setAttribute("aria-label", t("prompt"));
  box.setAttribute("aria-describedby", "arena-hint arena-count arena-warning");
  box.setAttribute("enterkeyhint", "send");
  byId("arena-send").textContent = t("send");
  byId("arena-stop").textContent = t("stop");
  byId("arena-send").addEventListener("click", send);
  keys(box, send);
  box.addEventListener("input", review);
  starters();
  onChange(draw);
  const draft = kept.get("sessionStorage", DRAFT);
  if (draft) setPrompt(draft);
  else review();
}
