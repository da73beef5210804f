// One battle from its first question to the thanks: asking, listening, voting, and coming back to it.
/** @import { OwnVote, Seen, TurnEvent } from "../../answers.d.ts" */
/** @import { Ballot } from "./api.js" */
/** @import { Battle } from "./state.js" */
import { askBoth, castVote, getBattle, openBattle, refusal } from "./api.js";
import { clearBallot, forgetComment } from "./ballot.js";
import { promptBox, setPrompt, setTopic, stopped, topic } from "./composer.js";
import { confirmationOf, contest, contested, problemsOf, publicKeys } from "./confirmation.js";
import { byId, el } from "./dom.js";
import { focusMessage, say } from "./message.js";
import { Turn } from "./panes.js";
import { change, isOpen, stage, state } from "./state.js";
import { follow } from "./stream.js";
import { showAlarm, showThanks } from "./thanks.js";
import { hideUnvoted, offerUnvoted } from "./unvoted.js";
import { welcome } from "./welcome.js";
import { language, t } from "./words.js";
import { withWork } from "./work.js";

const STILL_ANSWERING_MS = 2000;
const VOTED = ["already_voted", "another_vote"];
/** The page showed a part of the battle: all of it is drawn before anybody judges. */
const UNSEEN = ["turns_unseen", "still_answering", "battle_void", "battle_abandoned"];
/** The turn that is shown last. @type {Turn | null} */
let turn = null;
/** Ends when the page goes on to another battle: whatever was under way for the one before then says no more. */
let visit = new AbortController();

/** The battle that is shown, once it has been drawn. */
export const battleOf = () => state.battle?.id;

/** @param {string} code */
const refusedSession = (code) => code === "session_needed" || code === "consent_needed";

/** Asks for consent again; what was under way then goes on. */
const sessionOver = () => welcome({ lead: t("session_over") });

/**
 * Offers the same question to another pair.
 * @param {string} prompt
 */
const again = (prompt) => ({
  label: t("again"),
  run: () => anew(prompt),
});

/**
 * Begins another battle with the question, and the topic, of this one.
 * @param {string} prompt
 */
function anew(prompt) {
  const about = topic();
  startOver();
  setPrompt(prompt);
  setTopic(about ?? "");
}

// --- a turn ----------------------------------------------------------------------------------------------------------
/**
 * A battle that counts for nothing: neither answer is left standing as if it had been judged.
 * @param {Battle} battle
 */
function tellVoid(battle) {
  battle.over = true;
  turn?.root.classList.add("arena-void");
  say(t("void"), { action: again(battle.prompt ?? "") });
  // What had the focus has gone with the answers.
  if (document.activeElement === document.body) focusMessage();
}

/**
 * Both answers are whole.
 * @param {Turn} mine
 */
function whole(mine) {
  // Who has pressed the button stays where they are; the button is gone, so the focus goes to what came in its place.
  const stoppedHere = document.activeElement?.id === "arena-stop";
  say("", { aloud: `${mine.spoken} ${t("done")}` });
  if (!stoppedHere) mine.settle();
  return stoppedHere;
}

/**
 * Hears a turn to its end; false when what was kept of it has to be asked for.
 * @param {string} id
 * @param {Battle} battle
 * @param {Turn} mine
 * @param {Response | null} first the answer to the question, or null to listen to a turn that is under way
 */
function listen(id, battle, mine, first) {
  /** @param {TurnEvent} event */
  const heard = (...[name, data]) => {
    if (name === "turn") {
      battle.prompt = data.prompt;
      mine.asked(data.prompt, data.masked);
    } else if (name === "delta") mine.take(data);
    else if (name === "answer") mine.finish(data.side, data.status, data.reasoning);
    else if (name === "done") {
      battle.turnsLeft -= 1;
      const stoppedHere = !data.void && whole(mine);
      if (data.void) tellVoid(battle);
      change({ votable: data.votable, busy: false });
      if (stoppedHere) byId("arena-ballot-title").focus({ preventScroll: true });
    } else if (name === "error") say(data.message[language], { alert: true });
    return name === "done" || name === "error";
  };
  return follow(id, mine.n, first, {
    heard,
    broken: () => say(t("resuming")),
    back: () => first && say(t("resumed"), { passes: true }),
    signal: visit.signal,
  });
}

/**
 * Draws a battle, with the work that its network may be asked for; says so when that takes a while.
 * @param {AbortSignal} signal
 */
async function drawn(signal) {
  let told = false;
  const slow = () => {
    told = !signal.aborted;
    if (told) say(t("working"));
  };
  const about = topic();
  const opened = await withWork("battle", (proof) => openBattle(about, proof), slow);
  if (told && !signal.aborted) say("", { aloud: "" });
  return opened;
}

export async function ask() {
  const prompt = promptBox().value.trim();
  if (state.busy || state.battle?.over || state.battle?.turnsLeft === 0 || !prompt || !isOpen() || stopped()) return;
  clearBallot();
  hideUnvoted();
  const { signal } = visit;
  const before = turn;
  /** @type {Battle} */
  const battle = state.battle ?? { id: null, over: false, turnsLeft: stage().limits.turns };
  let asked = false;
  // Drawn at once: nobody should wait for the network to see that their question was heard.
  const mine = new Turn((before?.n ?? 0) + 1, prompt);
  turn = mine;
  say("", { aloud: t("answering") });
  setPrompt("");
  change({ battle, busy: true, votable: false, chosen: null });
  mine.begin();
  // Who types goes on typing; a button that was pressed is gone, and the focus goes to what it asked for.
  if (document.activeElement !== promptBox()) mine.heading.focus({ preventScroll: true });
  try {
    const opened = battle.id ? null : await drawn(signal);
    if (signal.aborted) return;
    const id = opened?.battle_id ?? String(battle.id);
    if (opened) history.replaceState(null, "", `#${id}`);
    battle.id = id;
    if (opened?.repeat) {
      // The question waits in the box until what is shown again has been judged.
      takeBack(mine, before, prompt);
      asked = true;
      await restore(id);
      return;
    }
    battle.prompt = prompt;
    const response = await askBoth(id, prompt);
    asked = true;
    if (!(await listen(id, battle, mine, response))) await restore(id);
  } catch (caught) {
    if (signal.aborted) return;
    const refused = refusal(caught);
    if (!asked) takeBack(mine, before, prompt);
    if (refusedSession(refused.code)) {
      await sessionOver();
      promptBox().focus();
    } else if (refused.code === "battle_not_found") {
      anew(prompt);
      say(t("lost_battle"), { alert: true });
    } else say(refused.message, { alert: true, action: asked ? null : { label: t("retry"), run: ask } });
    if (!asked && state.battle) await refresh();
  } finally {
    if (!signal.aborted) change({ busy: false });
  }
}

/**
 * A question that did not get through stands in the box again, and the page as it was before.
 * @param {Turn} mine
 * @param {Turn | null} before
 * @param {string} prompt
 */
function takeBack(mine, before, prompt) {
  mine.root.remove();
  turn = before;
  if (!state.battle?.id) state.battle = null;
  say("");
  setPrompt(prompt);
}

/** Asks the server whether it would take a vote now. */
async function refresh() {
  if (!state.battle?.id) return;
  try {
    change({ votable: (await getBattle(state.battle.id)).votable });
  } catch {
    // the message of the first failure stands
  }
}

// --- the vote --------------------------------------------------------------------------------------------------------
/** @param {Ballot} ballot */
export async function cast(ballot) {
  const { battle } = state;
  if (state.busy || !state.votable || !battle?.id) return;
  const { signal } = visit;
  change({ busy: true });
  say(t("saving"));
  try {
    publicKeys(); // on their way meanwhile
    const thanks = await castVote(battle.id, { ...ballot, turns: turn?.n });
    const given = confirmationOf(battle.id, { ...thanks, winner: ballot.winner });
    const problems = await problemsOf(given);
    if (problems.length) contest(given);
    battle.over = true;
    forgetComment();
    if (signal.aborted && problems.length) {
      say(t("alarm_title"), { alert: true });
      return;
    }
    if (signal.aborted) {
      say(t("thanks"), { passes: true });
      return;
    }
    say("", { aloud: "" });
    clearBallot();
    change({ votable: false, chosen: null });
    if (problems.length) {
      showAlarm(given, problems, startOver);
      return;
    }
    const seen = await getBattle(battle.id).catch(() => null);
    const waiting = battle.repeat ? promptBox().value : "";
    const next = waiting ? () => anew(waiting) : startOver;
    if (!signal.aborted) showThanks(given, { reveal: thanks.reveal, seen, anew: true, next, waiting });
  } catch (caught) {
    const refused = refusal(caught);
    const notSaved = `${t("not_saved")} ${refused.message}`;
    if (signal.aborted) {
      say(notSaved, { alert: true });
      return;
    }
    if (refusedSession(refused.code)) {
      await sessionOver();
      change({ busy: false });
      await cast(ballot);
    } else if (UNSEEN.includes(refused.code)) {
      await restore(battle.id);
      say(refused.message, { alert: true });
    } else if (VOTED.includes(refused.code)) {
      // Another tab has voted: the vote that stands is shown, and there is nothing to try again.
      await restore(battle.id);
      say(refused.message, { alert: true });
      byId("arena-after").querySelector("h2")?.focus();
    } else if (refused.code === "battle_not_found") {
      // The session it belonged to is gone: trying again finds nothing.
      say(refused.message, { alert: true, action: again(battle.prompt ?? "") });
      focusMessage();
    } else if (refused.code === "stage_not_open") {
      battle.over = true;
      clearBallot();
      change({ votable: false, chosen: null });
      say(notSaved, { alert: true, action: { label: t("see_results"), run: () => location.assign("/results") } });
    } else {
      say(notSaved, { alert: true, action: { label: t("retry"), run: () => cast(ballot) } });
      await refresh();
      focusMessage();
    }
  } finally {
    if (!signal.aborted) change({ busy: false });
  }
}

// --- battles as a whole ----------------------------------------------------------------------------------------------
/** Lets go of the battle that is shown. */
function leave() {
  visit.abort();
  visit = new AbortController();
  change({ busy: false });
}

function clear() {
  turn = null;
  clearBallot();
  byId("arena-turns").replaceChildren();
  byId("arena-after").replaceChildren();
  byId("arena-after").hidden = true;
}

/** Begins another battle; one that waits for its vote is offered again. */
export function startOver() {
  leave();
  clear();
  history.replaceState(null, "", location.pathname);
  change({ battle: null, votable: false, chosen: null });
  say("");
  setTopic("");
  scrollTo(0, 0);
  promptBox().focus({ preventScroll: true });
  offerUnvoted();
}

/**
 * Draws a battle as the server keeps it; while it is still being answered, listens on.
 * @param {string} id
 */
async function restore(id) {
  const { signal } = visit;
  const sent = state.battle?.id === id ? state.battle.prompt : null;
  const expected = turn?.n ?? 0;
  const seen = await getBattle(id);
  if (signal.aborted) return;
  clear();
  const answering = seen.state === "answering";
  const note =
    seen.repeat && seen.votable ? el("p", { class: "arena-card arena-repeat", tabindex: "-1" }, t("repeat")) : null;
  if (note) byId("arena-turns").append(note);
  for (const { n, prompt, answers } of seen.turns) {
    turn = new Turn(n, prompt);
    turn.fill(answers);
  }
  const prompt = seen.turns.at(-1)?.prompt;
  const open = seen.state === "open" || answering;
  const battle = { id, over: !open, turnsLeft: seen.turns_left + (answering ? 1 : 0), prompt, repeat: seen.repeat };
  change({ battle: seen.turns.length || !open ? battle : null, votable: seen.votable, chosen: null });
  (note ?? turn?.root)?.scrollIntoView({ block: "start" });
  if (seen.vote) await showVote(seen, seen.vote);
  else if (seen.votable) (note ?? byId("arena-ballot-title")).focus({ preventScroll: true });
  if (seen.vote) return;
  if (seen.state === "void") tellVoid(battle);
  else if (seen.state === "abandoned") say(t("abandoned"), { action: again(prompt ?? "") });
  else if (answering && turn) await listenOn(id, battle, turn);
  else if (sent && seen.turns.length < expected) {
    // The server went away in the middle: that turn is gone, the question is not.
    setPrompt(sent);
    say(t("interrupted"), { alert: true });
  } else say("");
}

/**
 * Shows the vote on a battle that this page comes back to, unless it is not what its citizen clicked.
 * @param {Seen} seen
 * @param {OwnVote} vote
 */
async function showVote(seen, vote) {
  const { signal } = visit;
  const given = contested(seen.battle_id) ?? confirmationOf(seen.battle_id, vote);
  const problems = await problemsOf(given);
  if (signal.aborted) return;
  if (problems.length) showAlarm(given, problems, startOver);
  else showThanks(given, { reveal: seen.reveal, seen, next: startOver });
}

/**
 * Hears the rest of a turn that this page did not ask, or no longer knows that it did.
 * @param {string} id
 * @param {Battle} battle
 * @param {Turn} last
 */
async function listenOn(id, battle, last) {
  const { signal } = visit;
  change({ busy: true });
  const ended = await listen(id, battle, last, null);
  if (!ended) {
    // Written in another process, or by one that died: the record has it soon.
    await new Promise((resolve) => setTimeout(resolve, STILL_ANSWERING_MS));
    if (!signal.aborted) await restore(id);
  }
  if (!signal.aborted) change({ busy: false });
}

/** Opens the battle that the address names. */
export async function open() {
  const id = location.hash.slice(1);
  if (!id && state.battle?.id) startOver();
  if (id.length < 10 || id === "arena-main" || id === state.battle?.id) return;
  leave();
  hideUnvoted();
  const { signal } = visit;
  await restore(id).catch((caught) => {
    if (signal.aborted) return;
    const refused = refusal(caught);
    startOver();
    say(refused.code === "offline" ? refused.message : t("lost_battle"), { alert: true });
  });
}
