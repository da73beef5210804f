// The vote, in one bar: four choices by button or key, then reasons and a comment that nobody has to give, and the one
// button that casts it.
/** @import { Side, Winner } from "../../answers.d.ts" */
/** @import { Ballot } from "./api.js" */
import { announce, buttonById, byId, el, kept } from "./dom.js";
import { say } from "./message.js";
import { bySide, change, onChange, SIDES, stage, state, WINNERS } from "./state.js";
import { number, pick, t } from "./words.js";

const KEYS = "arena-keys";
const COMMENT = "arena-comment";
const NARROW = matchMedia("(max-width: 760px)");
const SETTLED_MS = 400;
let chosenAt = 0;
let keysOn = kept.get("localStorage", KEYS) === "on";
/** What may be added to a choice, while one is made. @type {{ form: HTMLFormElement, button: HTMLElement } | null} */
let given = null;

/** @typedef {(ballot: Ballot) => void} Cast */

/** @param {Side} side */
const sideReasons = (side) =>
  el(
    "fieldset",
    { class: "arena-reasons" },
    el(
      "legend",
      {},
      el("span", { class: `arena-letter arena-letter-${side}`, "aria-hidden": "true" }, side.toUpperCase()),
      t("reasons_side", { side: t(`answer_${side}`) }),
    ),
    ...stage().reasons.map((reason) =>
      el(
        "label",
        { class: `arena-reason arena-reason-${reason.kind}` },
        el("input", { type: "checkbox", name: `reason-${side}`, value: reason.id }),
        el("span", {}, pick(reason.text)),
      ),
    ),
  );

/**
 * Marks the choice, and shows what may be added and the button that casts it.
 * @param {Winner} winner
 * @param {Cast} cast
 */
function choose(winner, cast) {
  if (state.busy || !state.votable || state.chosen === winner) return;
  given ??= makeForm(cast);
  if (!given.form.isConnected) byId("arena-ballot").append(given.form);
  given.button.textContent = t("cast_this", { winner: t(winner) });
  chosenAt = performance.now();
  change({ chosen: winner });
  announce(t("chosen", { winner: t(winner) }));
  remind();
}

/** Where one answer is shown at a time, whoever has not looked at the other is told so. */
function remind() {
  const row = byId("arena-turns").querySelector(".arena-turn:last-child .arena-panes");
  if (!NARROW.matches || !(row instanceof HTMLElement)) return;
  const unseen = SIDES.find((side) => !row.dataset.seen?.includes(side));
  if (!unseen) return;
  const show = () => {
    row.parentElement?.querySelector(`.arena-show-${unseen}`)?.dispatchEvent(new MouseEvent("click"));
    say("", { aloud: "" });
  };
  say(t("not_seen", { side: t(`answer_${unseen}`) }), { action: { label: t("show"), run: show, quiet: true } });
}

/** A comment that was not sent outlives a reload, with the battle it is about. */
export const forgetComment = () => kept.set("sessionStorage", COMMENT, null);

/** The comment's box with its count. */
function commentBox() {
  const max = stage().limits.comment_chars;
  const comment = el("textarea", {
    id: "arena-comment",
    rows: "1",
    maxlength: String(max),
    "aria-describedby": "arena-comment-hint",
  });
  const about = `${state.battle?.id} `;
  const before = kept.get("sessionStorage", COMMENT) ?? "";
  if (before.startsWith(about)) comment.value = before.slice(about.length);
  const count = el("span", { class: "arena-soft", role: "status" });
  comment.addEventListener("input", () => {
    kept.set("sessionStorage", COMMENT, comment.value ? about + comment.value : null);
    count.textContent =
      comment.value.length > max * 0.8 ? t("chars", { n: number(comment.value.length), max: number(max) }) : "";
  });
  const hint = el("p", { id: "arena-comment-hint", class: "arena-soft" }, t("comment_hint"), " ", count);
  return max > 0 ? [el("label", { for: "arena-comment" }, t("comment")), comment, hint] : [];
}

/** @param {Cast} cast */
function makeForm(cast) {
  const button = el("button", { type: "submit", id: "arena-cast", class: "arena-primary" });
  const comment = commentBox();
  const form = el(
    "form",
    {
      id: "arena-why",
      on: {
        submit: (event) => {
          event.preventDefault();
          if (!state.chosen) return;
          const ticked = new FormData(form);
          const box = form.querySelector("textarea");
          cast({
            winner: state.chosen,
            reasons: bySide((side) => ticked.getAll(`reason-${side}`).map(String)),
            comment: box?.value.trim() ?? "",
          });
        },
      },
    },
    el(
      "details",
      { open: comment.some((part) => part instanceof HTMLTextAreaElement && part.value) },
      el("summary", {}, t("reasons_title")),
      el("div", { class: "arena-why-sides" }, ...SIDES.map(sideReasons)),
      ...comment,
    ),
    el(
      "div",
      { class: "arena-cast" },
      el("p", {}, t("not_cast_yet")),
      el("button", { type: "button", class: "arena-button", on: { click: forget } }, t("change")),
      button,
    ),
  );
  // The bar grows under the finger: the second click of a double click must not do what has moved there.
  form.addEventListener(
    "click",
    (event) => {
      if (event.detail < 2 || performance.now() - chosenAt > SETTLED_MS) return;
      event.preventDefault();
      event.stopPropagation();
    },
    true,
  );
  return { form, button };
}

/** Takes the choice back. */
function forget() {
  const { chosen } = state;
  given?.form.remove(); // what was written is there again when another choice is made
  change({ chosen: null });
  announce(t("unchosen"));
  if (chosen) byId(`arena-vote-${chosen}`).focus();
}

export function clearBallot() {
  given?.form.remove();
  given = null;
}

function draw() {
  const { busy, votable, chosen } = state;
  for (const winner of WINNERS) {
    const button = buttonById(`arena-vote-${winner}`);
    button.disabled = busy || !votable;
    button.setAttribute("aria-pressed", String(chosen === winner));
  }
  for (const control of given?.form.elements ?? []) if ("disabled" in control) control.disabled = busy;
}

/** The switch for those who would rather press 1 to 4. @param {Cast} cast */
function prepareKeys(cast) {
  const box = el("input", { type: "checkbox", id: "arena-keys", role: "switch", checked: keysOn });
  const show = () => document.body.classList.toggle("arena-keys-on", keysOn);
  box.addEventListener("change", () => {
    keysOn = box.checked;
    kept.set("localStorage", KEYS, keysOn ? "on" : null);
    show();
  });
  show();
  byId("arena-ballot-title").after(el("label", { class: "arena-keys" }, box, el("span", {}, t("keys_switch"))));
  addEventListener("keydown", (event) => {
    const typing =
      event.target instanceof HTMLElement && event.target.matches("textarea, select, input:not([type=checkbox])");
    if (!keysOn || typing || event.ctrlKey || event.altKey || event.metaKey || event.isComposing) return;
    const winner = WINNERS[Number(event.key) - 1];
    if (winner) choose(winner, cast);
  });
}

/**
 * Makes Gradio's four buttons ours.
 * @param {Cast} cast sends a vote
 */
export function prepareBallot(cast) {
  WINNERS.forEach((winner, n) => {
    const button = buttonById(`arena-vote-${winner}`);
    button.textContent = t(winner);
    button.dataset.key = String(n + 1);
    // The choices come where the stop was: the second click of a double click is none.
    button.addEventListener("click", (event) => {
      if (event.detail < 2 || state.chosen) choose(winner, cast);
    });
  });
  prepareKeys(cast);
  onChange(draw);
  draw();
}
