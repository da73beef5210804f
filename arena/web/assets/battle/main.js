// The citizen's page: everything it does goes through /api/v1.
import { getStage, refusal, stopTurn } from "./api.js";
import { prepareBallot } from "./ballot.js";
import { ask, battleOf, cast, open, startOver } from "./battle.js";
import { prepareComposer, promptBox } from "./composer.js";
import { byId, sure } from "./dom.js";
import { drawChoices } from "./gradio.js";
import { say } from "./message.js";
import { change, isOpen, onChange, phase, stage, state } from "./state.js";
import { offerUnvoted } from "./unvoted.js";
import { welcome } from "./welcome.js";
import { keepLanguage, loadWords, t } from "./words.js";

const AGAIN_MS = 3000;

function frame() {
  byId("arena-new").addEventListener("click", startOver);
  byId("arena-stop").addEventListener("click", () => {
    const id = battleOf();
    if (id) stopTurn(id).catch((caught) => say(refusal(caught).message, { alert: true }));
  });
  document.querySelector(".arena-skip")?.addEventListener("click", (event) => {
    event.preventDefault();
    byId("arena-main").focus();
  });
  // The page in the other language, or in a larger text, shows the same battle.
  document.querySelectorAll(".arena-utility a").forEach((node) => {
    const link = sure(node, HTMLAnchorElement);
    link.addEventListener("click", (event) => {
      event.preventDefault();
      const same = link.search === location.search;
      location.assign(`${link.search}${location.hash}`);
      if (same) location.reload();
    });
  });
  addEventListener("offline", () => say(t("went_offline"), { alert: true }));
  addEventListener("online", () => {
    // A failure with something to press stays until it is pressed.
    if (!byId("arena-message").querySelector("button")) say(t("came_online"), { passes: true });
  });
  addEventListener("hashchange", open);
}

/** The choices of the vote; without them a reload keeps the battle. */
async function vote() {
  try {
    await drawChoices();
    prepareBallot(cast);
    change();
  } catch {
    say(t("no_choices"), { alert: true, action: { label: t("reload"), run: () => location.reload() } });
  }
}

async function begin() {
  try {
    [, state.stage] = await Promise.all([loadWords(), getStage()]);
  } catch {
    byId("arena-message").hidden = false;
    setTimeout(begin, AGAIN_MS);
    return;
  }
  say("");
  keepLanguage();
  onChange((now) => (document.body.dataset.phase = phase(now)));
  frame();
  prepareComposer(ask);
  change();
  document.body.dataset.arena = "ready";
  vote();
  if (!stage().session?.valid && isOpen()) {
    await welcome();
    stage().session = { valid: true, consents: [] };
    promptBox().focus();
  }
  await open();
  await offerUnvoted();
}

begin();
