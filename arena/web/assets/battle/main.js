// The citizen's page: everything it does goes through /api/v1; Gradio gives the text box and the buttons.
import { call, json, post } from "./api.js";
import { clearBallot, prepareBallot } from "./ballot.js";
import { prepareComposer, promptBox, setPrompt, stopped } from "./composer.js";
import { announce, byId, el } from "./dom.js";
import { Turn } from "./panes.js";
import { personalIn } from "./personal.js";
import { change, isOpen, state } from "./state.js";
import { follow } from "./stream.js";
import { showThanks } from "./thanks.js";
import { welcome } from "./welcome.js";
import { keepLanguage, language, loadWords, t } from "./words.js";

const STILL_ANSWERING_MS = 2000;
let turn = null;
let message;

// --- what the page says ----------------------------------------------------------------------------------------------
function say(text, { alert = false, action = null, aloud = text } = {}) {
  message.replaceChildren(el("span", {}, text));
  message.classList.toggle("arena-alert", alert);
  message.hidden = !text;
  if (action)
    message.append(el("button", { type: "button", class: "arena-button", on: { click: action.run } }, action.label));
  if (aloud) announce(aloud);
}

const refusedSession = (code) => code === "session_needed" || code === "consent_needed";

/** Asks for consent again and keeps what was typed. */
async function sessionOver() {
  await welcome({ lead: t("session_over") });
  promptBox().focus();
}

const again = (prompt) => ({
  label: t("again"),
  run: () => {
    startOver();
    setPrompt(prompt);
  },
});

// --- a turn ----------------------------------------------------------------------------------------------------------
function heard(name, data) {
  if (name === "delta") turn.take(data);
  else if (name === "answer") turn.finish(data.side, data.status, data.reasoning);
  else if (name === "done") {
    state.battle.turnsLeft -= 1;
    if (data.void) {
      state.battle.over = true;
      say(t("void"), { alert: true, action: again(state.battle.prompt) });
    } else say(t("done"), { aloud: `${turn.spoken} ${t("done")}` });
    change({ votable: data.votable });
  } else if (name === "error") say(data.message[language], { alert: true });
  return name === "done" || name === "error";
}

async function listen(first) {
  const whole = await follow(state.battle.id, turn.n, first, {
    heard,
    broken: () => say(t("resuming")),
    back: () => say(t("resumed")),
  });
  if (!whole) await restore(state.battle.id);
}

async function ask() {
  const box = promptBox();
  const prompt = box.value.trim();
  if (state.busy || state.battle?.over || state.battle?.turnsLeft === 0 || !prompt || !isOpen() || stopped()) return;
  clearBallot();
  const before = turn;
  const battle = state.battle ?? { id: null, over: false, turnsLeft: state.stage.limits.turns };
  let asked = false;
  // Drawn at once: nobody should wait for the network to see that their question was heard.
  turn = new Turn((before?.n ?? 0) + 1, prompt);
  document.body.classList.add("arena-begun");
  say(t("answering"));
  setPrompt("");
  change({ battle, busy: true, votable: false, chosen: null });
  turn.root.scrollIntoView({ block: "start" });
  try {
    if (!battle.id) {
      battle.id = (await json(post("/battles"))).battle_id;
      history.replaceState(null, "", `#${battle.id}`);
    }
    const response = await post(`/battles/${battle.id}/turns`, { prompt });
    asked = true;
    battle.prompt = prompt;
    if (personalIn(prompt).kinds.length) showAsKept();
    await listen(response);
  } catch (refused) {
    if (!asked) takeBack(before, prompt);
    if (refusedSession(refused.code)) await sessionOver();
    else if (refused.code === "battle_not_found") {
      startOver();
      setPrompt(prompt);
      say(t("lost_battle"), { alert: true });
    } else say(refused.message, { alert: true, action: asked ? null : { label: t("retry"), run: ask } });
    if (!asked && state.battle) await refresh();
  } finally {
    change({ busy: false });
  }
}

/** A question that did not get through stands in the box again, and the page as it was before. */
function takeBack(before, prompt) {
  turn.root.remove();
  turn = before;
  if (!state.battle.id) state.battle = null;
  document.body.classList.toggle("arena-begun", Boolean(before));
  say("");
  setPrompt(prompt);
}

/** Shows the question as it was kept and sent: without the personal data that the server took out. */
async function showAsKept() {
  const seen = await json(call(`/battles/${state.battle.id}`)).catch(() => null);
  if (seen) turn?.rename(seen.turns.at(-1).prompt);
}

/** Asks the server whether it would take a vote now. */
async function refresh() {
  try {
    const seen = await json(call(`/battles/${state.battle.id}`));
    change({ votable: seen.votable });
  } catch {
    // the message of the first failure stands
  }
}

const stop = () =>
  state.battle?.id &&
  post(`/battles/${state.battle.id}/stop`).catch((refused) => say(refused.message, { alert: true }));

// --- the vote --------------------------------------------------------------------------------------------------------
async function cast(ballot) {
  if (state.busy || !state.votable) return;
  change({ busy: true });
  say(t("saving"));
  try {
    const thanks = await json(post(`/battles/${state.battle.id}/vote`, ballot));
    state.battle.over = true;
    clearBallot();
    change({ votable: false, chosen: null });
    say("", { aloud: "" });
    const seen = await json(call(`/battles/${state.battle.id}`)).catch(() => null);
    showThanks(thanks, seen, ballot.winner);
  } catch (refused) {
    if (refusedSession(refused.code)) await sessionOver();
    else if (refused.code === "already_voted") await restore(state.battle.id);
    say(`${t("not_saved")} ${refused.message}`, {
      alert: true,
      action: { label: t("retry"), run: () => cast(ballot) },
    });
    if (!state.battle.over) await refresh();
  } finally {
    change({ busy: false });
  }
}

// --- battles as a whole ----------------------------------------------------------------------------------------------
function clear() {
  turn = null;
  clearBallot();
  byId("arena-turns").replaceChildren();
  byId("arena-after").replaceChildren();
  byId("arena-after").hidden = true;
}

function startOver() {
  clear();
  document.body.classList.remove("arena-begun");
  history.replaceState(null, "", location.pathname);
  change({ battle: null, votable: false, chosen: null });
  say("");
  promptBox().focus();
}

/** Draws a battle as the server keeps it; while it is still being answered, listens on. */
async function restore(id) {
  const sent = state.battle?.id === id ? state.battle.prompt : null;
  const expected = turn?.n ?? 0;
  const seen = await json(call(`/battles/${id}`));
  clear();
  document.body.classList.add("arena-begun");
  const answering = seen.state === "answering";
  for (const { n, prompt, answers } of seen.turns) {
    turn = new Turn(n, prompt);
    turn.fill(answers);
  }
  const last = seen.turns.at(-1);
  const open = seen.state === "open" || answering;
  change({
    battle: { id, over: !open, turnsLeft: seen.turns_left + (answering ? 1 : 0), prompt: last?.prompt },
    votable: seen.votable,
  });
  if (seen.receipt) showThanks(seen, seen, null);
  else if (seen.state === "void") say(t("void"), { alert: true, action: again(last.prompt) });
  else if (seen.state === "abandoned") say(t("abandoned"), { alert: true });
  else if (answering) await listenOn(id);
  else if (sent && seen.turns.length < expected) {
    // The server went away in the middle: that turn is gone, the question is not.
    setPrompt(sent);
    say(t("interrupted"), { alert: true });
  } else if (seen.votable) say(t("done"));
  if (!seen.turns.length && open && !answering) document.body.classList.remove("arena-begun");
}

async function listenOn(id) {
  change({ busy: true });
  const whole = await follow(id, turn.n, null, { heard, broken: () => say(t("resuming")), back: () => {} });
  if (!whole) {
    // Written in another process, or by one that died: the record has it soon.
    await new Promise((resolve) => setTimeout(resolve, STILL_ANSWERING_MS));
    await restore(id);
  }
  change({ busy: false });
}

// --- wiring ----------------------------------------------------------------------------------------------------------
function frame() {
  const main = document.querySelector("main");
  main.id = "arena-main";
  main.tabIndex = -1;
  message = el("div", { id: "arena-message", hidden: true });
  byId("arena-turns").after(message);
  const fresh = byId("arena-new");
  fresh.textContent = t("new");
  fresh.addEventListener("click", startOver);
  document.querySelector(".arena-skip").addEventListener("click", (event) => {
    event.preventDefault();
    main.focus();
  });
  document.title = `${t("title_battle")} · ${t("brand")}`;
  // The other language's page shows the same battle.
  const other = byId("arena-language");
  other.addEventListener("click", (event) => {
    event.preventDefault();
    location.assign(`${other.getAttribute("href")}${location.hash}`);
    if (location.search === other.getAttribute("href")) location.reload();
  });
}

async function begin() {
  try {
    await loadWords();
    state.stage = await json(call("/stage"));
  } catch {
    setTimeout(begin, 3000);
    return;
  }
  keepLanguage();
  frame();
  prepareComposer(ask);
  prepareBallot(cast);
  byId("arena-stop").addEventListener("click", stop);
  addEventListener("offline", () => say(t("went_offline"), { alert: true }));
  addEventListener("online", () => say(t("came_online")));
  addEventListener("hashchange", open);
  change();
  if (!isOpen()) say(t(state.stage.status === "draft" ? "not_open_draft" : "not_open_frozen"));
  document.body.dataset.arena = "ready";
  if (!state.stage.session?.valid && isOpen()) {
    await welcome();
    promptBox().focus();
  }
  await open();
}

/** Opens the battle that the address names. */
async function open() {
  const id = location.hash.slice(1);
  if (id.length < 10 || id === "arena-main" || id === state.battle?.id) return;
  await restore(id).catch((refused) => {
    startOver();
    say(refused.code === "offline" ? refused.message : t("lost_battle"), { alert: true });
  });
}

const parts = ["arena-turns", "arena-ballot", "arena-after", "arena-new", "arena-send", "arena-starters"];
const ready = () => parts.every(byId) && promptBox();
const watcher = new MutationObserver(() => {
  if (!ready()) return;
  watcher.disconnect();
  begin();
});
if (ready()) begin();
else watcher.observe(document.documentElement, { childList: true, subtree: true });
