// A figure in the colours of the page it stands on.
/** @import { Figure } from "../../answers.d.ts" */

/** @typedef {{ family: string, ink: string, line: string, paper: string, dark: boolean }} Look */

/**
 * The figure's layout; its own axes keep what they say of themselves.
 * @param {Figure["layout"]} layout
 * @param {Look} look
 */
export function themed(layout, { family, ink, line, paper }) {
  const axis = { gridcolor: line, linecolor: line, tickcolor: line };
  const axes = Object.entries(layout)
    .filter(([name]) => /^[xy]axis/.test(name))
    .map(([name, own]) => [name, { ...axis, .../** @type {object} */ (own) }]);
  return {
    ...layout,
    ...Object.fromEntries(axes),
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    autosize: true,
    font: { family, size: 13, color: ink },
    hoverlabel: { bgcolor: paper, bordercolor: line, font: { color: ink, size: 13 } },
  };
}

/**
 * A copy of the data for plotly to work on. The blue of the palette is too deep for a dark page; its lighter
 * brother keeps a contrast of 3 : 1.
 * @param {Figure["data"]} data
 * @param {Look} look
 * @returns {Figure["data"]}
 */
export function coloured(data, { dark }) {
  const told = JSON.stringify(data);
  return JSON.parse(dark ? told.replaceAll("#0072B2", "#4FA3E0") : told);
}
