// The two answers of a turn: skeletons, text as it comes, finished blocks, copy,
// and the switch between A and B on a phone.
import { announce, byId, copyText, el } from "./dom.js";
import { SIDES } from "./state.js";
import { number, t } from "./words.js";

const NEAR_PX = 48;
const NARROW = matchMedia("(max-width: 760px)");
const READ_ALOUD = 240;

const labelled = (text) => `${t("copied_label")}\n${text}`;

function copyButton(label, text) {
  const button = el("button", { type: "button", class: "arena-copy", "aria-label": label }, t("copy"));
  button.addEventListener("click", async () => {
    const said = (await copyText(labelled(text()))) ? t("copied") : t("copy_failed");
    button.textContent = said;
    announce(said);
    setTimeout(() => (button.textContent = t("copy")), 2000);
  });
  return button;
}

/** Code can be copied, and what is wider than the pane scrolls by itself, for the keyboard too. */
function furnish(nodes) {
  for (const node of nodes) {
    if (node.nodeType !== Node.ELEMENT_NODE) continue;
    for (const pre of [...(node.matches("pre") ? [node] : []), ...node.querySelectorAll("pre")]) {
      pre.tabIndex = 0;
      const box = el("div", { class: "arena-code" });
      pre.replaceWith(box);
      box.append(
        copyButton(t("copy_code"), () => pre.textContent),
        pre,
      );
    }
    const wide = 'table, math[display="block"]';
    for (const each of [...(node.matches(wide) ? [node] : []), ...node.querySelectorAll(wide)]) {
      const box = el("div", { class: "arena-scroll", tabindex: "0" });
      each.replaceWith(box);
      box.append(each);
    }
  }
}

class Pane {
  constructor(side, n) {
    const title = t(`answer_${side}`);
    this.side = side;
    this.title = title;
    this.done = el("div", { class: "arena-done" });
    this.pending = el("div", { class: "arena-pending" });
    this.skeleton = el("div", { class: "arena-skeleton", "aria-hidden": "true" }, el("i"), el("i"), el("i"));
    this.status = el("span", { class: "arena-status", "data-status": "waiting" }, t("waiting"));
    this.copy = copyButton(t("copy_answer", { side: title }), () => this.done.innerText.trim());
    this.copy.classList.add("arena-later");
    this.unfold = el(
      "button",
      { type: "button", class: "arena-copy arena-later", "aria-expanded": "false" },
      t("unfold"),
    );
    this.text = el(
      "div",
      { class: "arena-text", tabindex: "0", role: "group", "aria-label": `${title} (${n})` },
      this.skeleton,
      this.done,
      this.pending,
    );
    this.atEnd = true;
    this.text.addEventListener(
      "scroll",
      () => (this.atEnd = this.text.scrollHeight - this.text.scrollTop - this.text.clientHeight < NEAR_PX),
      { passive: true },
    );
    this.text.addEventListener("copy", (event) => {
      event.clipboardData.setData("text/plain", labelled(String(getSelection())));
      event.preventDefault();
    });
    this.root = el(
      "section",
      { class: `arena-pane arena-pane-${side}`, "aria-label": `${title} (${n})` },
      el(
        "div",
        { class: "arena-pane-head" },
        el("span", { class: "arena-letter", "aria-hidden": "true" }, side.toUpperCase()),
        el("h3", {}, title),
        el("span", { class: "arena-ai", title: t("ai_note") }, t("ai")),
        el("div", { class: "arena-tools" }, this.status, this.unfold, this.copy),
      ),
      this.text,
    );
  }

  /** New text carries the reader on, as long as they are at the end. */
  carryOn() {
    if (this.atEnd) this.text.scrollTop = this.text.scrollHeight;
  }

  take({ text, html }) {
    this.skeleton.remove();
    if (html === undefined) this.pending.append(text);
    else {
      // A new element, not the old one moved: what stands still in the reader's eyes stands still for the browser too.
      const pending = el("div", { class: "arena-pending" }, text);
      this.pending.remove();
      this.append(html);
      this.text.append(pending);
      this.pending = pending;
    }
    this.show("writing");
  }

  // Rendered and cleaned on the server.
  append(html) {
    const before = this.done.childNodes.length;
    this.done.insertAdjacentHTML("beforeend", html);
    furnish([...this.done.childNodes].slice(before));
  }

  show(status) {
    if (this.status.dataset.status === status) return;
    this.status.dataset.status = status;
    this.status.textContent = t(status);
  }

  finish(status) {
    this.skeleton.remove();
    this.show(status);
    if (status === "failed" && !this.done.textContent && !this.pending.textContent)
      this.done.append(el("p", { class: "arena-soft" }, t("failed_text")));
    this.copy.classList.toggle("arena-later", status === "failed");
    this.unfold.classList.toggle("arena-later", this.text.scrollHeight <= this.text.clientHeight + 1);
  }

  /** What the model thought before, folded, above its answer; rendered and cleaned on the server like the answer. */
  think(html) {
    const thoughts = el("details", { class: "arena-reasoning" }, el("summary", {}, t("reasoning")));
    thoughts.insertAdjacentHTML("beforeend", html);
    this.text.prepend(thoughts);
  }

  /** What a screen reader is told when the answer has ended: all of a short one, the length of a long one. */
  get spoken() {
    const text = this.done.innerText.trim();
    const said = text.length <= READ_ALOUD ? text : t("announce_long", { n: number(text.length) });
    return t("announce_side", { side: this.title, status: this.status.textContent, text: said });
  }
}

export class Turn {
  constructor(n, prompt) {
    this.n = n;
    this.panes = Object.fromEntries(SIDES.map((side) => [side, new Pane(side, n)]));
    this.question = el("p", {}, prompt);
    const row = el("div", { class: "arena-panes" }, ...SIDES.map((side) => this.panes[side].root));
    this.switches = Object.fromEntries(
      SIDES.map((side) => [
        side,
        el(
          "button",
          { type: "button", "aria-pressed": String(side === "a"), on: { click: () => this.turnTo(side) } },
          t(`show_${side}`),
        ),
      ]),
    );
    this.root = el(
      "article",
      { class: "arena-turn", "data-turn": String(n), "aria-label": t("turn", { n }) },
      el("div", { class: "arena-question" }, el("h2", {}, t("turn", { n })), this.question),
      el(
        "div",
        { class: "arena-switch", role: "group", "aria-label": t("switch") },
        ...SIDES.map((side) => this.switches[side]),
      ),
      row,
    );
    this.row = row;
    for (const side of SIDES) this.panes[side].unfold.addEventListener("click", () => this.unfold());
    const watch = new IntersectionObserver(
      (entries) => {
        for (const entry of entries)
          if (entry.intersectionRatio > 0.6 && NARROW.matches)
            this.mark(entry.target === this.panes.a.root ? "a" : "b");
      },
      { root: row, threshold: [0.6] },
    );
    for (const side of SIDES) watch.observe(this.panes[side].root);
    byId("arena-turns").append(this.root);
  }

  /** Both answers in full, or both in their frames again: they are compared with each other. */
  unfold() {
    const open = this.root.classList.toggle("arena-unfolded");
    for (const side of SIDES) {
      const button = this.panes[side].unfold;
      button.textContent = t(open ? "fold" : "unfold");
      button.setAttribute("aria-expanded", String(open));
    }
  }

  rename(prompt) {
    this.question.textContent = prompt;
  }

  mark(side) {
    for (const each of SIDES) this.switches[each].setAttribute("aria-pressed", String(each === side));
  }

  turnTo(side) {
    this.mark(side);
    const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
    this.row.scrollTo({ left: side === "a" ? 0 : this.row.scrollWidth, behavior: calm ? "auto" : "smooth" });
  }

  take(data) {
    for (const side of SIDES) if (data[side]) this.panes[side].take(data[side]);
    // Both are written before either is measured, so that the page is laid out once.
    for (const side of SIDES) if (data[side]) this.panes[side].carryOn();
  }

  finish(side, status, reasoning) {
    if (reasoning) this.panes[side].think(reasoning);
    this.panes[side].finish(status);
  }

  get spoken() {
    return SIDES.map((side) => this.panes[side].spoken).join(" ");
  }

  /** A turn as the server kept it. */
  fill(answers) {
    for (const side of SIDES) {
      const answer = answers[side];
      if (!answer) continue;
      this.panes[side].append(answer.html);
      this.finish(side, answer.status, answer.reasoning);
    }
  }
}
