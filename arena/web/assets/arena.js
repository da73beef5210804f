// The citizen's page: everything it does goes through /api/v1; Gradio gives the frame, the text box and the buttons.
"use strict";
(() => {
  const API = "/api/v1";
  const SIDES = ["a", "b"];
  const WINNERS = ["model_a", "model_b", "tie", "both_bad"];
  const state = { language: "ko", texts: {}, stage: null, battle: null, busy: false, votable: false, panes: null, lastId: 0, turn: 0 };

  // --- small helpers -----------------------------------------------------------------------------------------------
  const el = (tag, attributes = {}, ...children) => {
    const node = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (name === "on") for (const [event, handler] of Object.entries(value)) node.addEventListener(event, handler);
      else if (value === true) node.setAttribute(name, "");
      else if (value !== false && value !== null) node.setAttribute(name, value);
    }
    node.append(...children.filter((child) => child !== null));
    return node;
  };
  const byId = (id) => document.getElementById(id);
  const t = (key, values = {}) =>
    Object.entries(values).reduce((text, [name, value]) => text.replaceAll(`{${name}}`, value), state.texts[key] ?? key);
  const pick = (bilingual) => bilingual[state.language];

  class Refused extends Error {
    constructor(problem) {
      super(problem[state.language] ?? problem.detail ?? t("offline"));
      this.code = problem.code;
    }
  }

  async function call(path, options = {}) {
    let response;
    try {
      response = await fetch(API + path, {
        credentials: "same-origin",
        ...options,
        headers: { "accept-language": state.language, ...(options.body ? { "content-type": "application/json" } : {}), ...options.headers },
      });
    } catch {
      throw new Refused({ code: "offline", ko: t("offline"), en: t("offline") });
    }
    if (response.ok) return response;
    let problem = {};
    try {
      problem = await response.json();
    } catch {
      problem = { code: "offline" };
    }
    throw new Refused(problem);
  }
  const post = (path, body) => call(path, { method: "POST", body: JSON.stringify(body ?? {}) });

  // --- what the page says ------------------------------------------------------------------------------------------
  function say(text, { alert = false, action = null } = {}) {
    const place = byId("arena-message");
    place.replaceChildren(text);
    place.classList.toggle("arena-alert", alert);
    if (action) place.append(" ", el("button", { type: "button", class: "arena-inline", on: { click: action.run } }, action.label));
  }

  function drawTop() {
    const stage = state.stage;
    byId("arena-top").replaceChildren(
      el(
        "header",
        { class: "arena-header" },
        el("div", {}, el("h1", {}, "K-AI Arena"), el("p", { class: "arena-stage" }, pick(stage.title))),
        el("button", { type: "button", id: "arena-language", class: "arena-inline", lang: state.language === "ko" ? "en" : "ko", on: { click: switchLanguage } }, t("language")),
      ),
      el("p", { class: "arena-lead" }, t("lead")),
      el("p", { class: "arena-notice" }, pick(stage.notices.ai), stage.synthetic ? " " + t("synthetic") : ""),
    );
    if (!byId("arena-message")) {
      byId("arena-after").before(el("p", { id: "arena-message", role: "status" }));
    }
  }

  function label(id, text) {
    const button = byId(id);
    if (button) button.textContent = text;
  }

  function drawLabels() {
    document.documentElement.lang = state.language;
    document.title = `K-AI Arena · ${pick(state.stage.title)}`;
    label("arena-send", t("send"));
    label("arena-stop", t("stop"));
    label("arena-new", t("new"));
    for (const winner of WINNERS) label(`arena-vote-${winner}`, t(winner));
    const box = promptBox();
    box.placeholder = t("placeholder");
    box.setAttribute("aria-label", t("prompt"));
    const caption = document.querySelector("#arena-prompt span[data-testid='block-info']");
    if (caption) caption.textContent = t("prompt");
  }

  const promptBox = () => document.querySelector("#arena-prompt textarea");

  function enable() {
    const asking = state.busy;
    const closed = state.battle?.over;
    byId("arena-send").disabled = asking || closed;
    byId("arena-stop").disabled = !asking;
    byId("arena-new").disabled = asking;
    for (const winner of WINNERS) byId(`arena-vote-${winner}`).disabled = asking || !state.votable;
    promptBox().readOnly = Boolean(closed);
  }

  // --- the panes ---------------------------------------------------------------------------------------------------
  function addTurn(n, prompt) {
    const panes = {};
    const row = el("div", { class: "arena-panes" });
    for (const side of SIDES) {
      const done = el("div", { class: "arena-done" });
      const pending = el("div", { class: "arena-pending" });
      const status = el("span", { class: "arena-status", role: "status" }, t("waiting"));
      row.append(
        el(
          "section",
          { class: `arena-pane arena-pane-${side}`, "aria-label": `${t("answer_" + side)} (${n})` },
          el("div", { class: "arena-pane-head" }, el("h3", {}, t("answer_" + side)), el("span", { class: "arena-ai" }, t("ai")), status),
          done,
          pending,
        ),
      );
      panes[side] = { done, pending, status };
    }
    const turn = el("article", { class: "arena-turn", "data-turn": String(n) }, el("div", { class: "arena-question" }, el("h2", {}, t("you")), el("p", {}, prompt)), row);
    byId("arena-turns").append(turn);
    turn.scrollIntoView({ block: "nearest" });
    return panes;
  }

  // Rendered and cleaned on the server; the one place where HTML is set.
  function appendSafe(node, html) {
    node.insertAdjacentHTML("beforeend", html);
  }

  function apply(name, data) {
    if (name === "delta") {
      for (const side of SIDES) {
        const piece = data[side];
        if (!piece) continue;
        const pane = state.panes[side];
        if (piece.html !== undefined) {
          appendSafe(pane.done, piece.html);
          pane.pending.textContent = piece.text;
        } else pane.pending.append(piece.text);
        pane.status.textContent = t("writing");
      }
    } else if (name === "answer") state.panes[data.side].status.textContent = t(data.status);
    else if (name === "done") {
      state.votable = data.votable;
      if (data.void) state.battle.over = true;
      say(t(data.void ? "void" : "done"), { alert: data.void });
    } else if (name === "error") say(data.message[state.language], { alert: true });
    return name === "done" || name === "error";
  }

  async function read(response) {
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let buffer = "";
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return false;
      buffer += value;
      for (let end = buffer.indexOf("\n\n"); end >= 0; end = buffer.indexOf("\n\n")) {
        const fields = Object.fromEntries(
          buffer
            .slice(0, end)
            .split("\n")
            .filter((line) => !line.startsWith(":"))
            .map((line) => [line.slice(0, line.indexOf(": ")), line.slice(line.indexOf(": ") + 2)]),
        );
        buffer = buffer.slice(end + 2);
        if (!fields.event) continue;
        state.lastId = Number(fields.id);
        if (apply(fields.event, JSON.parse(fields.data))) return true;
      }
    }
  }

  async function follow(first) {
    let response = first;
    for (let attempt = 0; ; attempt += 1) {
      try {
        if (response && (await read(response))) return;
      } catch {
        // the connection broke: pick the stream up below
      }
      say(t("resuming"));
      await new Promise((resolve) => setTimeout(resolve, Math.min(500 * 2 ** attempt, 8000)));
      try {
        response = await call(`/battles/${state.battle.id}/turns/${state.turn}/stream`, { headers: { "last-event-id": String(state.lastId) } });
      } catch (refused) {
        response = null;
        if (refused.code !== "offline") return restore(state.battle.id);
      }
    }
  }

  // --- the verbs ---------------------------------------------------------------------------------------------------
  async function ask() {
    const box = promptBox();
    const prompt = box.value.trim();
    if (state.busy || state.battle?.over || !prompt) return;
    state.busy = true;
    state.votable = false;
    enable();
    let asked = false;
    try {
      if (!state.battle) {
        const opened = await (await post("/battles")).json();
        state.battle = { id: opened.battle_id, over: false };
        state.turn = 0;
        history.replaceState(null, "", `#${opened.battle_id}`);
      }
      const response = await post(`/battles/${state.battle.id}/turns`, { prompt });
      asked = true;
      state.turn += 1;
      state.lastId = 0;
      box.value = "";
      box.dispatchEvent(new Event("input", { bubbles: true }));
      state.panes = addTurn(state.turn, prompt);
      say("");
      await follow(response);
    } catch (refused) {
      if (refused.code === "session_needed" || refused.code === "consent_needed") await welcome();
      else say(refused.message, { alert: true, action: asked ? null : { label: t("retry"), run: ask } });
      if (!asked && state.battle) await refresh();
    } finally {
      state.busy = false;
      enable();
    }
  }

  async function refresh() {
    try {
      const seen = await (await call(`/battles/${state.battle.id}`)).json();
      state.votable = seen.votable;
    } catch {
      // the message of the first failure stands
    }
  }

  const stop = () => post(`/battles/${state.battle.id}/stop`).catch((refused) => say(refused.message, { alert: true }));

  async function vote(winner) {
    if (state.busy || !state.votable) return;
    state.busy = true;
    enable();
    say(t("saving"));
    try {
      const thanks = await (await post(`/battles/${state.battle.id}/vote`, { winner })).json();
      state.votable = false;
      state.battle.over = true;
      showThanks(thanks);
    } catch (refused) {
      say(refused.message, { alert: true, action: { label: t("retry"), run: () => vote(winner) } });
      await refresh();
    } finally {
      state.busy = false;
      enable();
    }
  }

  function showThanks({ receipt, reveal }) {
    say(t("thanks"));
    const copy = el("button", { type: "button", class: "arena-inline", on: { click: () => navigator.clipboard.writeText(receipt).then(() => (copy.textContent = t("copied"))) } }, t("copy"));
    const who = reveal
      ? el("ul", { class: "arena-reveal" }, ...SIDES.map((side) => el("li", {}, t("was", { side: side.toUpperCase(), team: pick(reveal[side].team) }))))
      : el("p", {}, t("no_reveal"));
    byId("arena-after").replaceChildren(el("div", { class: "arena-thanks" }, who, el("p", { class: "arena-receipt" }, `${t("receipt")} `, el("code", {}, receipt), " ", copy)));
    byId("arena-new").focus();
  }

  function startOver() {
    state.battle = null;
    state.votable = false;
    history.replaceState(null, "", location.pathname);
    byId("arena-turns").replaceChildren();
    byId("arena-after").replaceChildren();
    say("");
    enable();
    promptBox().focus();
  }

  async function restore(id) {
    const seen = await (await call(`/battles/${id}`)).json();
    state.battle = { id, over: !["open", "answering"].includes(seen.state) };
    state.votable = seen.votable;
    byId("arena-turns").replaceChildren();
    for (const turn of seen.turns) {
      state.turn = turn.n;
      state.panes = addTurn(turn.n, turn.prompt);
      for (const side of SIDES) {
        const answer = turn.answers[side];
        if (!answer) continue;
        appendSafe(state.panes[side].done, answer.html);
        state.panes[side].status.textContent = t(answer.status);
      }
    }
    if (seen.receipt) showThanks(seen);
    else if (seen.state === "void") say(t("void"), { alert: true });
    else if (seen.state === "answering") {
      state.busy = true;
      enable();
      state.lastId = 0;
      await follow(null);
      state.busy = false;
    } else if (seen.votable) say(t("done"));
    enable();
  }

  // --- the first visit ---------------------------------------------------------------------------------------------
  function welcome() {
    return new Promise((resolve) => {
      const stage = state.stage;
      const boxes = stage.consents.map((consent) => ({ consent, input: el("input", { type: "checkbox", id: `consent-${consent.id}`, required: consent.required }) }));
      const age = el("input", { type: "checkbox", id: "consent-age", required: true });
      const error = el("p", { role: "alert", class: "arena-alert" });
      const submit = async (event) => {
        event.preventDefault();
        if (!age.checked || boxes.some(({ consent, input }) => consent.required && !input.checked)) {
          error.textContent = t("must");
          return;
        }
        try {
          await post("/session", { consents: boxes.filter(({ input }) => input.checked).map(({ consent }) => consent.id), age_ok: true });
          dialog.close();
          dialog.remove();
          resolve();
          promptBox().focus();
        } catch (refused) {
          error.textContent = refused.message;
        }
      };
      const dialog = el(
        "dialog",
        { class: "arena-dialog", "aria-labelledby": "arena-welcome" },
        el(
          "form",
          { novalidate: true, on: { submit } },
          el("h2", { id: "arena-welcome" }, t("welcome")),
          el("p", {}, t("lead")),
          el("p", {}, pick(stage.notices.ai), " ", t("what_happens")),
          ...boxes.map(({ consent, input }) =>
            el("div", { class: "arena-consent" }, input, el("label", { for: `consent-${consent.id}` }, el("strong", {}, `[${t(consent.required ? "required" : "optional")}] `), pick(consent.text))),
          ),
          el("div", { class: "arena-consent" }, age, el("label", { for: "consent-age" }, el("strong", {}, `[${t("required")}] `), t("age", { age: stage.min_age }))),
          error,
          el("button", { type: "submit", class: "arena-primary", id: "arena-agree" }, t("agree")),
        ),
      );
      dialog.addEventListener("cancel", (event) => event.preventDefault());
      document.body.append(dialog);
      dialog.showModal();
    });
  }

  // --- languages ---------------------------------------------------------------------------------------------------
  function remembered() {
    try {
      return localStorage.getItem("arena-language");
    } catch {
      return null;
    }
  }

  async function load(language) {
    state.language = language;
    state.texts = await (await fetch(`/arena-assets/${language}.json`)).json();
  }

  async function switchLanguage() {
    const language = state.language === "ko" ? "en" : "ko";
    try {
      localStorage.setItem("arena-language", language);
    } catch {
      // a browser without storage forgets the choice
    }
    await load(language);
    drawTop();
    drawLabels();
    if (state.battle && !state.busy) await restore(state.battle.id);
  }

  // --- wiring ------------------------------------------------------------------------------------------------------
  function keys(box) {
    // A composing Enter ends the syllable; what was meant by it is done when the composition has ended.
    let submitAfterComposition = false;
    box.addEventListener(
      "keydown",
      (event) => {
        if (event.key !== "Enter" || event.shiftKey) {
          if (event.key === "Enter") event.stopImmediatePropagation();
          return;
        }
        event.stopImmediatePropagation();
        if (event.isComposing || event.keyCode === 229) {
          submitAfterComposition = true;
          return;
        }
        event.preventDefault();
        ask();
      },
      true,
    );
    box.addEventListener("compositionend", () => {
      if (!submitAfterComposition) return;
      submitAfterComposition = false;
      setTimeout(() => {
        box.value = box.value.replace(/\n$/, "");
        ask();
      });
    });
  }

  const ready = () => byId("arena-top") && byId("arena-turns") && byId("arena-after") && byId("arena-new") && promptBox();

  async function start() {
    const browser = (navigator.languages ?? [navigator.language]).find((name) => /^(ko|en)\b/.test(name)) ?? "ko";
    await load(remembered() ?? browser.slice(0, 2));
    state.stage = await (await call("/stage")).json();
    drawTop();
    drawLabels();
    keys(promptBox());
    byId("arena-send").addEventListener("click", ask);
    byId("arena-stop").addEventListener("click", stop);
    byId("arena-new").addEventListener("click", startOver);
    for (const winner of WINNERS) byId(`arena-vote-${winner}`).addEventListener("click", () => vote(winner));
    enable();
    document.body.dataset.arena = "ready";
    if (!state.stage.session?.valid) await welcome();
    else if (location.hash.length > 10) await restore(location.hash.slice(1)).catch(startOver);
  }

  const watcher = new MutationObserver(() => {
    if (!ready()) return;
    watcher.disconnect();
    start();
  });
  watcher.observe(document.documentElement, { childList: true, subtree: true });
  if (ready()) {
    watcher.disconnect();
    start();
  }
})();
