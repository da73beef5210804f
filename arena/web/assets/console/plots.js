// Draws figures with plotly, which is asked for with the first one, and draws them again when the page turns dark.
/** @import { Figure } from "../../answers.d.ts" */
import { el } from "../battle/dom.js";
import { BASE } from "./acts.js";
import { coloured, themed } from "./theme.js";

const dark = matchMedia("(prefers-color-scheme: dark)");
/** What each box shows. @type {Map<HTMLElement, Figure>} */
const shown = new Map();

/** @typedef {NonNullable<Window["Plotly"]>} Library */
/** @type {Promise<Library> | undefined} */
let library;
const plotly = () =>
  (library ??= new Promise((loaded, failed) => {
    const load = () => (window.Plotly ? loaded(window.Plotly) : failed(new Error("no library")));
    document.head.append(el("script", { src: `${BASE}/plotly.js`, on: { load, error: failed } }));
  }));

function look() {
  const root = getComputedStyle(document.documentElement);
  /** @param {string} name */
  const colour = (name) => root.getPropertyValue(name).trim();
  return {
    family: getComputedStyle(document.body).fontFamily,
    ink: colour("--c-ink"),
    line: colour("--c-line"),
    paper: colour("--c-paper"),
    dark: dark.matches,
  };
}

/**
 * @param {HTMLElement} box
 * @param {Figure} figure
 */
export async function draw(box, figure) {
  shown.set(box, figure);
  const Plotly = await plotly();
  if (!box.isConnected || shown.get(box) !== figure) return;
  const now = look();
  await Plotly.react(box, coloured(figure.data, now), themed(figure.layout, now), {
    displayModeBar: false,
    responsive: true,
  });
}

dark.addEventListener("change", () => {
  for (const [box, figure] of shown)
    if (box.isConnected) draw(box, figure);
    else shown.delete(box);
});
