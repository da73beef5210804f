// A battle that was answered, or is being, and never voted on is offered again: nobody's judgement is lost in silence.
import { getBattles } from "./api.js";
import { promptBox } from "./composer.js";
import { byId, el, kept } from "./dom.js";
import { state } from "./state.js";
import { t } from "./words.js";

const SKIPPED = "arena-skipped";
const skipped = () => (kept.get("sessionStorage", SKIPPED) ?? "").split(" ").filter(Boolean);

/** @param {string} id */
function skip(id) {
  kept.set("sessionStorage", SKIPPED, [...skipped(), id].join(" "));
  hide();
  promptBox().focus({ preventScroll: true });
}

function hide() {
  byId("arena-unvoted").hidden = true;
  byId("arena-unvoted").replaceChildren();
}

/** Looks for one, where no battle is shown. */
export async function offerUnvoted() {
  hide();
  if (!state.stage?.session?.valid || state.battle) return;
  const waiting = await getBattles().catch(() => []);
  const left = waiting.find(
    ({ votable, state, battle_id }) => (votable || state === "answering") && !skipped().includes(battle_id),
  );
  if (!left || state.battle) return;
  const place = byId("arena-unvoted");
  place.replaceChildren(
    el(
      "div",
      { class: "arena-card" },
      el("h2", {}, t("unvoted")),
      left.prompt_start ? el("p", { class: "arena-soft" }, `“${left.prompt_start}”`) : null,
      el(
        "p",
        { class: "arena-actions" },
        el("a", { class: "arena-button", href: `#${left.battle_id}` }, t("unvoted_go")),
        el(
          "button",
          { type: "button", class: "arena-button", on: { click: () => skip(left.battle_id) } },
          t("unvoted_skip"),
        ),
      ),
    ),
  );
  place.hidden = false;
}

export { hide as hideUnvoted };
