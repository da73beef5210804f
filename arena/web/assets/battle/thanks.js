// After the vote: what was chosen, who the sides were, a way on, the receipt folded away, and a picture to keep.
/** @import { Author, Authors, Seen, Winner } from "../../answers.d.ts" */
/** @import { Confirmation, Problem } from "./confirmation.js" */

import { getBattles, getStage } from "./api.js";
import { fileOf } from "./confirmation.js";
import { announce, byId, copyText, el } from "./dom.js";
import { SIDES, stage } from "./state.js";
import { number, pick, t } from "./words.js";

/** The beginning of a receipt, in groups: enough to tell it from another. @param {string} receipt */
const short = (receipt) => `${receipt.slice(0, 4)} ${receipt.slice(4, 8)} … ${receipt.slice(-4)}`;

/** @param {string} receipt */
function receiptOf(receipt) {
  const copy = el("button", { type: "button", class: "arena-button" }, t("receipt_copy"));
  copy.addEventListener("click", async () => {
    copy.textContent = (await copyText(receipt)) ? t("copied") : t("copy_failed");
    announce(copy.textContent);
  });
  return el(
    "details",
    { class: "arena-receipt" },
    el("summary", {}, `${t("receipt")} · `, el("span", { class: "arena-soft" }, short(receipt))),
    el("p", { class: "arena-soft" }, t("receipt_what"), " ", t("confirmation_what")),
    el("code", {}, receipt),
    el("img", { src: `/receipts/${receipt}/qr.svg`, alt: t("receipt_qr"), width: "148", loading: "lazy" }),
    el(
      "p",
      { class: "arena-actions" },
      copy,
      el("a", { class: "arena-button", href: `/receipts?receipt=${receipt}` }, t("receipt_check")),
    ),
  );
}

/**
 * The link that saves the file.
 * @param {Confirmation} given
 * @param {string} [look]
 */
function confirmationLink(given, look = "arena-confirmation") {
  const file = fileOf(given);
  return el("a", { class: look, href: URL.createObjectURL(file), download: file.name }, t("confirmation_save"));
}

/** Whose model it is, how large and how open. @param {Author} author */
function cardOf({ card }) {
  if (!card) return null;
  const lines = [
    [t("card_organisation"), pick(card.organisation)],
    [t("card_size"), card.size],
    [t("card_openness"), pick(card.openness)],
  ];
  return el("dl", {}, ...lines.map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value))));
}

/**
 * @param {Authors | null} reveal
 * @param {Winner | null} winner
 */
function revealOf(reveal, winner) {
  if (!reveal) return el("p", {}, t(stage().reveal === "never" ? "never_reveal" : "no_reveal"));
  const rows = SIDES.map((side) =>
    el(
      "li",
      { class: `arena-reveal-${side}` },
      el("span", { class: `arena-letter arena-letter-${side}`, "aria-hidden": "true" }, side.toUpperCase()),
      el("span", {}, el("span", { class: "arena-hidden" }, `${t(`answer_${side}`)}: `), pick(reveal[side].team)),
      winner === `model_${side}` ? el("span", { class: "arena-chip" }, t("your_vote")) : null,
      cardOf(reveal[side]),
    ),
  );
  return el("div", {}, el("h3", {}, t("reveal_title")), el("ul", { class: "arena-reveal" }, ...rows));
}

/**
 * @param {Seen} battle
 * @param {Winner | null} winner
 */
function shareOf(battle, winner) {
  const button = el("button", { type: "button", class: "arena-button", id: "arena-share" }, t("share"));
  const said = el("span", { class: "arena-soft" }, t("share_note"));
  button.addEventListener("click", async () => {
    button.disabled = true;
    try {
      const { pictureOf } = await import("./later/picture.js");
      const picture = await pictureOf(battle, winner);
      const file = new File([picture], "k-ai-arena.png", { type: "image/png" });
      if (navigator.canShare?.({ files: [file] }) && matchMedia("(pointer: coarse)").matches)
        await navigator.share({ files: [file], text: t("share_text") });
      else {
        const link = el("a", { href: URL.createObjectURL(picture), download: file.name });
        link.click();
        setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
        said.textContent = t("share_done");
        announce(t("share_done"));
      }
    } catch {
      // the citizen thought better of it
    } finally {
      button.disabled = false;
    }
  });
  return el("div", { class: "arena-share" }, button, said);
}

/** How many votes this was of today's, how many all have cast, and how far that is. */
async function countOf() {
  const place = el("div", { class: "arena-count" });
  const [mine, { votes, planned_votes: planned }] = await Promise.all([getBattles(), getStage()]);
  const day = (/** @type {string | number} */ at) => new Date(at).toDateString();
  const today = mine.filter(({ receipt, opened_at }) => receipt && day(opened_at) === day(Date.now())).length;
  place.append(el("p", {}, t("count", { today: number(today), votes: number(Math.max(votes, today)) })));
  if (planned)
    place.append(
      el("progress", { max: String(planned), value: String(votes), "aria-label": t("goal") }),
      el("p", { class: "arena-soft" }, t("goal_of", { planned: number(planned) })),
    );
  return place;
}

/**
 * Says that the answer to a vote is not as it has to be: nobody is thanked, and the file is the citizen's to keep.
 * @param {Confirmation} given
 * @param {Problem[]} problems
 * @param {() => void} next begins another battle
 */
export function showAlarm(given, problems, next) {
  const title = el("h2", { tabindex: "-1" }, t("alarm_title"));
  const after = byId("arena-after");
  after.replaceChildren(
    el(
      "div",
      { class: "arena-card arena-alarm" },
      title,
      el("p", {}, t("you_chose", { winner: t(given.chosen) })),
      el("ul", {}, ...problems.map((problem) => el("li", {}, t(`alarm_${problem}`)))),
      el("p", {}, t("alarm_what")),
      el(
        "p",
        { class: "arena-actions" },
        confirmationLink(given, "arena-button arena-button-primary"),
        el("button", { type: "button", class: "arena-button arena-next", on: { click: next } }, t("next")),
      ),
    ),
  );
  after.hidden = false;
  title.focus();
  announce(`${t("alarm_title")} ${t("alarm_what")}`);
}

/**
 * Shows what a vote gives.
 * @param {Confirmation} given what was cast
 * @param {{ reveal: Authors | null, seen: Seen | null, anew?: boolean, next: () => void, waiting?: string }} how
 *   `seen`: the owner's view of the battle; `anew`: it was cast just now; `next` begins another battle, with the
 *   question that is `waiting`
 */
export function showThanks(given, { reveal, seen, anew = false, next, waiting = "" }) {
  const { receipt, chosen: winner } = given;
  const title = el(
    "h2",
    { tabindex: "-1" },
    el("span", { class: "arena-tick", "aria-hidden": "true" }, "✓"),
    t("thanks"),
  );
  const after = byId("arena-after");
  after.replaceChildren(
    el(
      "div",
      { class: "arena-card arena-thanks" },
      title,
      el("p", {}, t("you_chose", { winner: t(winner) }), " ", confirmationLink(given)),
      revealOf(reveal, winner),
      el(
        "p",
        { class: "arena-actions" },
        el(
          "button",
          { type: "button", class: "arena-primary arena-next", on: { click: next } },
          t(waiting ? "repeat_next" : "next"),
        ),
        el("a", { class: "arena-button", href: "/my" }, t("nav_my")),
      ),
      receiptOf(receipt),
      seen ? shareOf({ ...seen, reveal }, winner) : null,
    ),
  );
  after.hidden = false;
  if (!anew) return;
  countOf().then(
    (count) => after.querySelector(".arena-next")?.closest("p")?.before(count),
    () => {},
  );
  title.focus();
  announce(t("thanks"));
}
