// One document of the console: asked for while it is seen, and drawn again where it has changed.
/** @import { ConsoleDocument, ConsoleForm, Section } from "../../answers.d.ts" */
import { el } from "../battle/dom.js";
import { language, t } from "../battle/words.js";
import { BASE, onDone } from "./acts.js";
import { Card } from "./card.js";
import { Form } from "./form.js";
import { loggedOut, say } from "./messages.js";
import { tiles } from "./parts.js";

const WAIT_S = 20;
const RETRY_MS = 2000;
const STEP_MS = 300;

/** @param {number} ms */
const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

/**
 * Keeps one part for each thing told, in its order: parts that are there are shown anew, others are made, and those
 * of what is told no more go.
 * @template Told
 * @template {{ node: HTMLElement, show(told: Told): void }} Part
 * @param {Map<string, Part>} held by key
 * @param {HTMLElement} box
 * @param {{ key: string, told: Told }[]} wanted
 * @param {(told: Told) => Part} make
 */
function keep(held, box, wanted, make) {
  for (const [key, part] of held)
    if (!wanted.some((one) => one.key === key)) {
      part.node.remove();
      held.delete(key);
    }
  wanted.forEach(({ key, told }, n) => {
    const part = held.get(key) ?? make(told);
    held.set(key, part);
    if (box.children[n] !== part.node) box.insertBefore(part.node, box.children[n] ?? null);
    part.show(told);
  });
}

export class Feed {
  /**
   * @param {string} name
   * @param {HTMLElement} box
   */
  constructor(name, box) {
    this.name = name;
    this.box = box;
    /** @type {string | null} */
    this.tag = null;
    this.lost = false;
    this.asking = new AbortController();
    /** @type {Map<string, Card>} */
    this.cards = new Map();
    /** @type {Map<string, Form>} */
    this.forms = new Map();
    this.tiles = el("div");
    this.acts = el("div", { class: "c-grid c-acts-grid", hidden: true });
    this.grid = el("div", { class: "c-grid" });
    this.wait = el("p", { class: "c-wait" }, t("console_loading"));
    box.append(this.wait, this.tiles, this.acts, this.grid);
    document.addEventListener("visibilitychange", () => document.hidden && this.again());
    onDone(() => this.again());
    this.run();
  }

  get seen() {
    return !document.hidden && this.box.offsetParent !== null;
  }

  /** Ends the waiting: what is there now is asked for at once, if it is seen. */
  again() {
    this.asking.abort();
  }

  async run() {
    for (;;) {
      if (!this.seen) {
        await sleep(STEP_MS);
        continue;
      }
      this.asking = new AbortController();
      try {
        if (!(await this.ask(this.asking.signal))) return;
      } catch {
        if (this.asking.signal.aborted) continue;
        this.lost = true;
        say(t("console_connection_lost"), true);
        await sleep(RETRY_MS);
      }
    }
  }

  /**
   * Waits for the document to change; false when nobody is logged in any more.
   * @param {AbortSignal} signal
   */
  async ask(signal) {
    const answer = await fetch(`${BASE}/${this.name}?lang=${language}&wait=${this.tag ? WAIT_S : 0}`, {
      headers: this.tag ? { "if-none-match": this.tag } : {},
      cache: "no-store",
      signal,
    });
    if (answer.status === 401) {
      loggedOut();
      return false;
    }
    if (answer.status === 200) {
      this.show(await answer.json());
      this.tag = answer.headers.get("etag");
    } else if (answer.status !== 304) throw new Error(String(answer.status));
    if (this.lost) {
      this.lost = false;
      say(t("console_reconnected"));
    }
    return true;
  }

  /** @param {ConsoleDocument} told */
  show(told) {
    this.wait.remove();
    if (told.tiles.length) this.tiles.replaceChildren(tiles(told.tiles));
    /** @param {ConsoleForm} form */
    const formed = (form) => ({ key: form.id, told: form });
    keep(this.forms, this.acts, told.forms.map(formed), (form) => new Form(form));
    this.acts.hidden = !told.forms.length;
    // A section that gains or loses its figure is another card.
    /** @param {Section} section */
    const carded = (section) => ({ key: section.id + (section.figure ? "+" : ""), told: section });
    keep(this.cards, this.grid, told.sections.map(carded), (section) => new Card(this.name, section));
    const asOf = document.getElementById("console-as-of");
    if (this.name === "live" && asOf) asOf.textContent = t("console_as_of", { at: told.as_of });
  }
}
