// One question and its answer: a sentence, a figure where there is one, and always the table.
/** @import { Section } from "../../answers.d.ts" */
import { el } from "../battle/dom.js";
import { language, t } from "../battle/words.js";
import { BASE } from "./acts.js";
import { say } from "./messages.js";
import { table } from "./parts.js";
import { draw } from "./plots.js";

export class Card {
  /**
   * @param {string} document_ the tab's name
   * @param {Section} section
   */
  constructor(document_, section) {
    this.told = "";
    this.says = el("p", { class: "c-says" });
    this.note = el("p", { class: "c-note" });
    this.plot = section.figure ? el("div", { class: "c-plot", role: "img" }) : null;
    this.holder = el("div");
    const csv = el(
      "a",
      {
        class: "c-link",
        href: `${BASE}/${document_}/${section.csv}?lang=${language}`,
        download: true,
        "aria-label": t("console_csv_of", { title: section.title }),
      },
      t("console_csv"),
    );
    this.tools = el("div", { class: "c-tools" }, csv);
    const id = `c-${document_}-${section.id}`;
    this.node = el(
      "section",
      { class: `c-card ${section.wide ? "c-wide" : ""}`, id, "aria-labelledby": `${id}-h` },
      el("h2", { id: `${id}-h` }, section.title),
      this.says,
      this.plot,
      this.plot
        ? el("details", {}, el("summary", {}, t("console_as_table")), this.tools, this.holder)
        : el("div", {}, this.holder, this.tools),
      this.note,
    );
  }

  /** @param {Section} section */
  show(section) {
    const told = JSON.stringify(section);
    if (told === this.told) return;
    this.told = told;
    this.says.textContent = section.says;
    this.note.textContent = section.note;
    this.note.hidden = !section.note;
    const focused = document.activeElement;
    const key = focused instanceof HTMLElement && this.holder.contains(focused) ? focused.dataset.key : null;
    const empty = !section.table.rows.length;
    this.holder.replaceChildren(...(empty ? [] : [table(section)]));
    this.tools.hidden = empty;
    if (key) [...this.holder.querySelectorAll("button")].find((one) => one.dataset.key === key)?.focus();
    if (this.plot && section.figure) {
      this.plot.setAttribute("aria-label", t("console_figure", { title: section.title, says: section.says }));
      draw(this.plot, section.figure).catch(() => say(t("console_no_figure"), true));
    }
  }
}
