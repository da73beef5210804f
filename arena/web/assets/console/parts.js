// The small parts of a tab: tiles, tables with their buttons, and how a cell is written.
/** @import { Act, Cell, Section, Table, Tile } from "../../answers.d.ts" */
import { el } from "../battle/dom.js";
import { number, t } from "../battle/words.js";
import { perform } from "./acts.js";

const SHORT = 22;

/**
 * A cell as people read it: a number with at most three decimals.
 * @param {Cell} cell
 */
export const written = (cell) => (typeof cell === "number" ? number(cell) : (cell ?? "–"));

/**
 * Which columns hold numbers, and nothing, only.
 * @param {Table} table
 */
export const numeric = ({ columns, rows }) =>
  columns.map((_, n) => rows.every((row) => row[n] === null || typeof row[n] === "number"));

/**
 * How a cell is set: numbers to the right, short words on one line, long ones broken.
 * @param {Cell} cell
 * @param {boolean} number whether its column holds numbers
 */
export function classOf(cell, number) {
  if (number) return "c-number";
  if (typeof cell === "string" && cell.length <= SHORT) return "c-short";
  return cell === null ? null : "c-long";
}

/** @param {Tile[]} told */
export const tiles = (told) =>
  el(
    "dl",
    { class: "c-tiles" },
    ...told.map((tile) =>
      el(
        "div",
        { class: `c-tile ${tile.mood ? `c-${tile.mood}` : ""}` },
        el("dt", {}, tile.label),
        el("dd", {}, tile.value, tile.hint ? el("small", {}, tile.hint) : null),
      ),
    ),
  );

/** @param {Act} act */
function actor(act) {
  if (act.href !== undefined) return el("a", { class: "c-button", href: act.href, download: true }, act.label);
  const button = el(
    "button",
    { class: "c-button", type: "button", "data-key": `${act.act} ${JSON.stringify(act.body)}` },
    act.label,
  );
  button.addEventListener("click", () => perform(button, act));
  return button;
}

/** @param {Section} section */
export function table({ title, table, acts }) {
  const numbers = numeric(table);
  const head = table.columns.map((name, n) => el("th", { scope: "col", class: numbers[n] ? "c-number" : null }, name));
  const body = table.rows.map((row, r) =>
    el(
      "tr",
      {},
      ...row.map((cell, n) => el("td", { class: classOf(cell, numbers[n]) }, written(cell))),
      acts.length ? el("td", { class: "c-acts" }, ...acts.filter((act) => act.row === r).map(actor)) : null,
    ),
  );
  return el(
    "div",
    { class: "c-scroll", tabindex: "0", role: "region", "aria-label": t("console_table", { title }) },
    el(
      "table",
      {},
      el("thead", {}, el("tr", {}, ...head, acts.length ? el("th", { scope: "col" }, t("console_act")) : null)),
      el("tbody", {}, ...body),
    ),
  );
}
