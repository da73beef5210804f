// After the vote: thanks, the receipt, who the sides were, and a picture to keep.
import { announce, byId, copyText, el } from "./dom.js";
import { pictureOf } from "./picture.js";
import { SIDES, state } from "./state.js";
import { pick, t } from "./words.js";

function receiptOf(receipt) {
  const copy = el("button", { type: "button", class: "arena-button" }, t("receipt_copy"));
  copy.addEventListener("click", async () => {
    copy.textContent = (await copyText(receipt)) ? t("copied") : t("copy_failed");
    announce(copy.textContent);
  });
  return el(
    "div",
    { class: "arena-receipt" },
    el("h3", {}, t("receipt")),
    el("code", {}, receipt),
    el("p", { class: "arena-soft" }, t("receipt_what")),
    el(
      "p",
      { class: "arena-actions" },
      copy,
      el("a", { class: "arena-button", href: `/receipts?receipt=${receipt}` }, t("receipt_check")),
    ),
  );
}

function revealOf(reveal, winner) {
  if (!reveal) return el("p", {}, t(state.stage.reveal === "never" ? "never_reveal" : "no_reveal"));
  const rows = SIDES.map((side) =>
    el(
      "li",
      { class: `arena-reveal-${side}` },
      el("span", { class: `arena-letter arena-letter-${side}`, "aria-hidden": "true" }, side.toUpperCase()),
      el("span", {}, el("span", { class: "arena-hidden" }, `${t(`answer_${side}`)}: `), pick(reveal[side].team)),
      winner === `model_${side}` ? el("span", { class: "arena-chip" }, t("your_vote")) : null,
    ),
  );
  return el("div", {}, el("h3", {}, t("reveal_title")), el("ul", { class: "arena-reveal" }, ...rows));
}

function shareOf(battle, winner) {
  const button = el("button", { type: "button", class: "arena-button", id: "arena-share" }, t("share"));
  button.addEventListener("click", async () => {
    button.disabled = true;
    const picture = await pictureOf(battle, winner);
    const file = new File([picture], "k-ai-arena.png", { type: "image/png" });
    try {
      if (navigator.canShare?.({ files: [file] }) && matchMedia("(pointer: coarse)").matches)
        await navigator.share({ files: [file], text: t("share_text") });
      else {
        const link = el("a", { href: URL.createObjectURL(picture), download: file.name });
        link.click();
        setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
        announce(t("share_done"));
      }
    } catch {
      // the citizen thought better of it
    } finally {
      button.disabled = false;
    }
  });
  return el("div", { class: "arena-share" }, button, el("span", { class: "arena-soft" }, t("share_note")));
}

/** Shows what a vote gives; `seen` is the owner's view of the battle, `winner` what was chosen if it is known. */
export function showThanks({ receipt, reveal }, seen, winner) {
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
      winner ? el("p", {}, `${t("your_vote")}: ${t(winner)}`) : null,
      revealOf(reveal, winner),
      receiptOf(receipt),
      seen ? shareOf({ ...seen, reveal }, winner) : null,
    ),
  );
  after.hidden = false;
  if (!winner) return;
  title.focus();
  announce(t("thanks"));
}
