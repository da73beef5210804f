// The vote: four choices by button or key, then reasons and a comment that nobody has to give,
// and the one button that casts it.
import { announce, byId, el, kept } from "./dom.js";
import { change, onChange, SIDES, state, WINNERS } from "./state.js";
import { number, pick, t } from "./words.js";

const SETTLED_MS = 400;
const KEYS = "arena-keys";
let keysOn = kept.get("localStorage", KEYS) === "on";
let given = null;

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
    ...state.stage.reasons.map((reason) =>
      el(
        "label",
        { class: `arena-reason arena-reason-${reason.kind}` },
        el("input", { type: "checkbox", name: `reason-${side}`, value: reason.id }),
        el("span", {}, pick(reason.text)),
      ),
    ),
  );

const ticked = (form, side) =>
  [...form.querySelectorAll(`input[name="reason-${side}"]:checked`)].map((input) => input.value);

/** Shows what may be added to the choice; nothing is saved before the form is sent. */
function choose(winner, cast) {
  if (state.busy || !state.votable) return;
  given ??= makeForm(cast);
  given.title.textContent = t("chosen", { winner: t(winner) });
  change({ chosen: winner });
  if (!given.form.isConnected) byId("arena-after").replaceChildren(given.form);
  byId("arena-after").hidden = false;
  given.title.focus({ preventScroll: true });
  // Not at once: the second click of a double click must not land on what has moved under it.
  setTimeout(() => given?.form.scrollIntoView({ block: "nearest" }), SETTLED_MS);
}

function makeForm(cast) {
  const title = el("h2", { tabindex: "-1" });
  const max = state.stage.limits.comment_chars;
  const comment = el("textarea", {
    id: "arena-comment",
    rows: "2",
    maxlength: String(max),
    "aria-describedby": "arena-comment-hint",
  });
  const count = el("span", { class: "arena-soft", role: "status" });
  comment.addEventListener(
    "input",
    () =>
      (count.textContent =
        comment.value.length > max * 0.8 ? t("chars", { n: number(comment.value.length), max: number(max) }) : ""),
  );
  const form = el(
    "form",
    {
      id: "arena-why",
      class: "arena-card",
      on: {
        submit: (event) => {
          event.preventDefault();
          cast({
            winner: state.chosen,
            reasons: Object.fromEntries(SIDES.map((side) => [side, ticked(form, side)])),
            comment: comment.value.trim(),
          });
        },
      },
    },
    title,
    el("p", { class: "arena-soft" }, `${t("reasons_title")} ${t("reasons_hint")}`),
    el("div", { class: "arena-why-sides" }, ...SIDES.map(sideReasons)),
    max > 0 ? el("label", { for: "arena-comment" }, t("comment")) : null,
    max > 0 ? comment : null,
    max > 0 ? el("p", { id: "arena-comment-hint", class: "arena-soft" }, t("comment_hint"), " ", count) : null,
    el(
      "p",
      { class: "arena-actions" },
      el("button", { type: "submit", id: "arena-cast", class: "arena-primary" }, t("cast")),
      el("button", { type: "button", class: "arena-button", on: { click: forget } }, t("change")),
    ),
  );
  return { form, title };
}

/** Takes the choice back. */
export function forget() {
  given?.form.remove();
  given = null;
  change({ chosen: null });
  byId("arena-vote-model_a").focus();
}

export function clearBallot() {
  given?.form.remove();
  given = null;
}

function draw() {
  const { battle, busy, votable, chosen } = state;
  byId("arena-ballot").hidden = Boolean(battle?.over);
  for (const winner of WINNERS) {
    const button = byId(`arena-vote-${winner}`);
    button.disabled = busy || !votable;
    button.setAttribute("aria-pressed", String(chosen === winner));
  }
  byId("arena-ballot").classList.toggle("arena-votable", votable);
  for (const control of given?.form.querySelectorAll("button, input, textarea") ?? []) control.disabled = busy;
}

/** Makes Gradio's four buttons ours; `cast(ballot)` sends a vote. */
export function prepareBallot(cast) {
  WINNERS.forEach((winner, n) => {
    const button = byId(`arena-vote-${winner}`);
    button.textContent = t(winner);
    button.dataset.key = String(n + 1);
    button.addEventListener("click", () => choose(winner, cast));
  });
  const box = el("input", { type: "checkbox", id: "arena-keys", role: "switch", checked: keysOn });
  const show = () => document.body.classList.toggle("arena-keys-on", keysOn);
  box.addEventListener("change", () => {
    keysOn = box.checked;
    kept.set("localStorage", KEYS, keysOn ? "on" : null);
    show();
  });
  show();
  const ballot = byId("arena-ballot");
  ballot.prepend(el("h2", {}, t("vote_title")));
  ballot.append(
    el(
      "div",
      { class: "arena-foot" },
      el("p", { id: "arena-vote-wait", class: "arena-soft" }, t("vote_wait")),
      el("label", { class: "arena-keys" }, box, el("span", {}, t("keys_switch"))),
    ),
  );
  addEventListener("keydown", (event) => {
    const typing =
      event.target instanceof HTMLElement && event.target.matches("textarea, select, input:not([type=checkbox])");
    if (!keysOn || typing || event.ctrlKey || event.altKey || event.metaKey || event.isComposing) return;
    const winner = WINNERS[Number(event.key) - 1];
    if (winner && state.votable && !state.busy) {
      choose(winner, cast);
      announce(t("chosen", { winner: t(winner) }));
    }
  });
  onChange(draw);
}
