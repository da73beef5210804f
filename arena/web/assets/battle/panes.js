// The two answers of a turn: skeletons, text as it comes, finished blocks, copy; on a phone one of them at a time.
/** @import { AnswerStatus, Delta, Said, Side } from "../../answers.d.ts" */
import { announce, byId, copyText, el } from "./dom.js";
import { bySide, SIDES } from "./state.js";
import { t } from "./words.js";

const NEAR_PX = 32;
const SWIPE_PX = 60;
const STILL = 20;
const NARROW = matchMedia("(max-width: 47.5em)");

/** @param {string} text */
const labelled = (text) => `${t("copied_label")}\n${text}`;

/**
 * @param {string} label
 * @param {() => string} text
 */
function copyButton(label, text) {
  const button = el("button", { type: "button", class: "arena-copy", "aria-label": label }, t("copy"));
  button.addEventListener("click", async () => {
    const said = (await copyText(text())) ? t("copied") : t("copy_failed");
    button.textContent = said;
    announce(said);
    setTimeout(() => (button.textContent = t("copy")), 2000);
  });
  return button;
}

/**
 * @param {Node[]} nodes
 * @param {string} selector
 */
const among = (nodes, selector) =>
  nodes
    .filter((node) => node instanceof Element)
    .flatMap((node) => [...(node.matches(selector) ? [node] : []), ...node.querySelectorAll(selector)]);

/**
 * Code can be copied as it runs, a link says that it opens a window, and what is wider than the pane scrolls by itself,
 * for the keyboard too.
 * @param {Node[]} nodes
 */
function furnish(nodes) {
  for (const pre of among(nodes, "pre")) {
    pre.setAttribute("tabindex", "0");
    const box = el("div", { class: "arena-code" });
    pre.replaceWith(box);
    box.append(
      copyButton(t("copy_code"), () => pre.textContent ?? ""),
      pre,
    );
  }
  for (const link of among(nodes, "a[target]")) link.setAttribute("title", t("new_window"));
  for (const each of among(nodes, 'table, math[display="block"]')) {
    const box = el("div", { class: "arena-scroll", tabindex: "0" });
    each.replaceWith(box);
    box.append(each);
  }
}

class Pane {
  /**
   * @param {Side} side
   * @param {number} n the turn's
   */
  constructor(side, n) {
    const title = t(`answer_${side}`);
    const id = `arena-answer-${n}-${side}`;
    this.done = el("div", { class: "arena-done" });
    this.open = el("div", { class: "arena-open" });
    /** For how many of the other side's events it has had nothing new. */
    this.still = 0;
    /** What is shown of the block that is still being written. */
    this.shown = "";
    this.skeleton = el("div", { class: "arena-skeleton", "aria-hidden": "true" }, el("i"), el("i"), el("i"));
    this.status = el("span", { class: "arena-status", "data-status": "waiting" }, t("waiting"));
    this.copy = copyButton(t("copy_answer", { side: title }), () => labelled(this.done.innerText.trim()));
    this.copy.classList.add("arena-later");
    this.text = el("div", { class: "arena-text" }, this.skeleton, this.done, this.open);
    this.text.addEventListener("copy", (event) => {
      const selected = getSelection();
      if (selected?.anchorNode?.parentElement?.closest("pre")) return;
      event.clipboardData?.setData("text/plain", labelled(String(selected)));
      event.preventDefault();
    });
    this.root = el(
      "section",
      { class: `arena-pane arena-pane-${side}`, "data-side": side, "aria-labelledby": id },
      el(
        "div",
        { class: "arena-pane-head" },
        el("span", { class: "arena-letter", "aria-hidden": "true" }, side.toUpperCase()),
        el("h3", { id }, title, el("span", { class: "arena-hidden" }, ` (${t("turn", { n })})`)),
        el("span", { class: "arena-ai", title: t("ai_note") }, t("ai")),
        el("span", { class: "arena-tools" }, this.status, this.copy),
      ),
      this.text,
    );
  }

  /** @param {Delta} delta */
  take({ html, keep, tail }) {
    this.skeleton.remove();
    if (html) {
      this.append(html);
      this.shown = "";
      // A new element, not the old one moved: what stands still in the reader's eyes stands still for the browser too.
      const open = el("div", { class: "arena-open" });
      this.open.remove();
      this.text.append(open);
      this.open = open;
    }
    this.shown = this.shown.slice(0, keep) + tail;
    this.open.innerHTML = this.shown;
    this.show("writing");
  }

  /** @param {string} html rendered and cleaned on the server */
  append(html) {
    const before = this.done.childNodes.length;
    this.done.insertAdjacentHTML("beforeend", html);
    furnish([...this.done.childNodes].slice(before));
  }

  /** @param {AnswerStatus | "writing"} status */
  show(status) {
    if (this.status.dataset.status === status) return;
    this.status.dataset.status = status;
    this.status.textContent = t(status);
  }

  /** @param {AnswerStatus} status */
  finish(status) {
    this.skeleton.remove();
    this.show(status);
    if (status === "failed" && !this.done.textContent)
      this.done.append(el("p", { class: "arena-soft" }, t("failed_text")));
    this.copy.classList.toggle("arena-later", status === "failed");
  }

  /**
   * What the model thought before, folded, above its answer.
   * @param {string} html rendered and cleaned on the server, like the answer
   */
  think(html) {
    const thoughts = el("details", { class: "arena-reasoning" }, el("summary", {}, t("reasoning")));
    thoughts.insertAdjacentHTML("beforeend", html);
    this.text.prepend(thoughts);
  }
}

export class Turn {
  /**
   * @param {number} n counts from 1
   * @param {string} prompt
   */
  constructor(n, prompt) {
    this.n = n;
    this.panes = bySide((side) => new Pane(side, n));
    this.question = el("p", {}, prompt);
    this.heading = el("h2", { tabindex: "-1" }, t("turn", { n }));
    this.masked = el("p", { class: "arena-soft", hidden: true }, t("masked"));
    this.row = el("div", { class: "arena-panes" }, ...SIDES.map((side) => this.panes[side].root));
    this.switches = bySide((side) =>
      el(
        "button",
        { type: "button", class: `arena-show-${side}`, on: { click: () => this.turnTo(side) } },
        el("span", { class: "arena-letter", "aria-hidden": "true" }, side.toUpperCase()),
        t(`answer_${side}`),
      ),
    );
    this.root = el(
      "article",
      { class: "arena-turn", "data-turn": String(n), "aria-label": t("turn", { n }) },
      el("div", { class: "arena-question" }, this.heading, this.question, this.masked),
      el(
        "div",
        { class: "arena-switch", role: "group", "aria-label": t("switch") },
        ...SIDES.map((side) => this.switches[side]),
      ),
      this.row,
    );
    /**
     * How far the reader of each side is, where one is shown at a time: where the row began on the screen.
     * @type {Partial<Record<Side, number>>}
     */
    this.places = {};
    /** Where the page stood when new text last carried a reader on; before the first, where the question put it. */
    this.carried = NaN;
    this.mark("a");
    this.swipes();
    byId("arena-turns").append(this.root);
    // A question of pages scrolls by itself, for the keyboard too.
    if (this.question.scrollHeight > this.question.clientHeight) this.question.tabIndex = 0;
  }

  /**
   * @param {string} prompt as it was kept
   * @param {boolean} masked whether it is another than was sent
   */
  asked(prompt, masked) {
    this.question.textContent = prompt;
    this.masked.hidden = !masked;
  }

  /** @param {Side} side the one that is shown where there is room for one */
  mark(side) {
    this.side = side;
    this.row.dataset.shown = side;
    this.row.dataset.seen = [...new Set([...(this.row.dataset.seen ?? ""), side])].join("");
    for (const each of SIDES) this.switches[each].setAttribute("aria-pressed", String(each === side));
  }

  /**
   * Shows this side where its reader was, or from its beginning.
   * @param {Side} side
   */
  turnTo(side) {
    if (side === this.side || !this.side) return;
    const top = this.row.getBoundingClientRect().top;
    const begins = this.switches.a.getBoundingClientRect().bottom;
    this.places[this.side] = top;
    this.mark(side);
    const wanted = top > begins + 1 ? top : Math.min(begins, this.places[side] ?? begins);
    scrollBy(0, this.row.getBoundingClientRect().top - wanted);
  }

  /** A finger's way across changes the side. */
  swipes() {
    /** @type {Touch | undefined} */
    let from;
    this.row.addEventListener("touchstart", (event) => (from = event.touches[0]), { passive: true });
    this.row.addEventListener(
      "touchend",
      (event) => {
        const to = event.changedTouches[0];
        const scrolls = event.target instanceof Element && event.target.closest("pre, .arena-scroll");
        if (!from || !to || scrolls || !NARROW.matches) return;
        const across = to.clientX - from.clientX;
        if (Math.abs(across) > SWIPE_PX && Math.abs(across) > 2 * Math.abs(to.clientY - from.clientY))
          this.turnTo(across < 0 ? "b" : "a");
      },
      { passive: true },
    );
  }

  /** How much of the end of the answers is below what can be seen. */
  get below() {
    return this.row.getBoundingClientRect().bottom - byId("arena-dock").getBoundingClientRect().top;
  }

  /** The question has been asked here: it stands at the top, and whoever stays there waits for the first word. */
  begin() {
    this.root.scrollIntoView({ block: "start" });
    this.carried = scrollY;
  }

  /**
   * New text carries a reader on who is at its end, or has not moved since they asked.
   * @param {Partial<Record<Side, Delta>>} deltas
   */
  take(deltas) {
    const follows = this.below < NEAR_PX || Math.abs(scrollY - this.carried) < 1;
    for (const side of SIDES) {
      const pane = this.panes[side];
      if (deltas[side]) {
        pane.take(deltas[side]);
        if (pane.still >= STILL) this.fit(side, false);
        pane.still = 0;
      } else if (++pane.still === STILL) this.fit(side, true);
    }
    if (follows) scrollBy(0, Math.max(0, this.below));
    this.carried = follows ? scrollY : NaN;
  }

  /**
   * An answer that stands still, and fits beside a longer one, stays in view.
   * @param {Side} side
   * @param {boolean} still
   */
  fit(side, still) {
    const { root, text } = this.panes[side];
    const fits = still && text.offsetHeight < byId("arena-dock").getBoundingClientRect().top / 1.5;
    root.classList.toggle("arena-short", fits);
  }

  /** Both answers are whole: a reader who was carried to their end stands at their beginning. */
  settle() {
    const stands = Math.abs(scrollY - this.carried) < NEAR_PX;
    if (stands && this.root.getBoundingClientRect().top < 0) this.root.scrollIntoView({ block: "start" });
  }

  /**
   * @param {Side} side
   * @param {AnswerStatus} status
   * @param {string | null} [reasoning] as HTML, where the stage shows it
   */
  finish(side, status, reasoning) {
    if (reasoning) this.panes[side].think(reasoning);
    this.panes[side].finish(status);
    this.fit(side, true);
  }

  /** What a screen reader is told when both have ended. */
  get spoken() {
    return SIDES.map((side) =>
      t("announce_side", { side: t(`answer_${side}`), status: this.panes[side].status.textContent }),
    ).join(" ");
  }

  /**
   * A turn as the server kept it.
   * @param {Partial<Record<Side, Said>>} answers
   */
  fill(answers) {
    for (const side of SIDES) {
      const answer = answers[side];
      if (!answer) continue;
      this.panes[side].append(answer.html);
      this.finish(side, answer.status, answer.reasoning);
    }
  }
}
