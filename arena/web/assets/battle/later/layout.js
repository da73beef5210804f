// Where everything stands on the picture of a battle: how lines break, and what is written where.
// Nothing is drawn here.
/** @import { Side } from "../../../answers.d.ts" */
import { bySide, SIDES } from "../state.js";

const WIDTH = 1200;
const EDGE = 64;
const BETWEEN = 32;
const HALF = (WIDTH - 2 * EDGE - BETWEEN) / 2;
const QUESTION_LINES = 4;
const ANSWER_LINES = 14;
export const INK = {
  paper: "#f4f6fb",
  card: "#ffffff",
  ink: "#131c2b",
  soft: "#4b5a70",
  line: "#d5dce8",
  a: "#8a3f9c",
  b: "#0f6b5e",
  brand: "#12305f",
};

/**
 * All in pixels, from the upper left corner.
 * @typedef {{ size: number, bold: boolean }} Font
 * @typedef {Font & { text: string, x: number, y: number, colour: string }} Line
 * @typedef {{ x: number, y: number, width: number, height: number, edge: string, edgeWidth: number }} Card
 * @typedef {{ width: number, height: number, cards: Card[], lines: Line[] }} Layout
 *
 * How wide a text is in a font.
 * @typedef {(text: string, font: Font) => number} Measure
 *
 * What is shown; `chosen` is the side that the vote preferred, if it did and is known.
 * @typedef {{
 *   brand: string, stage: string, question: string, names: Record<Side, string>, answers: Record<Side, string>,
 *   vote: string | null, chosen: Side | null, note: string, address: string,
 * }} Shown
 */

/**
 * Lines no wider than `width`, broken between words, or inside one that is too long; of more than `most`, so many, and
 * the last one ends in an ellipsis.
 * @param {string} text
 * @param {(text: string) => number} wide
 * @param {number} width
 * @param {number} most
 */
export function wrap(text, wide, width, most) {
  const lines = [];
  for (const paragraph of text.split("\n").filter((line) => line.trim())) {
    let line = "";
    for (const word of paragraph.match(/\S+\s*/g) ?? []) {
      if (wide(line + word) <= width) {
        line += word;
        continue;
      }
      if (line) lines.push(line);
      line = "";
      for (const letter of word) {
        if (wide(line + letter) > width) {
          lines.push(line);
          line = "";
        }
        line += letter;
      }
    }
    lines.push(line);
    if (lines.length > most) return [...lines.slice(0, most - 1), `${lines[most - 1].slice(0, -1)}…`];
  }
  return lines;
}

/**
 * @param {Shown} shown
 * @param {Measure} measure
 * @returns {Layout}
 */
export function layout(shown, measure) {
  /** @type {Line[]} */
  const lines = [];
  /** @type {Card[]} */
  const cards = [];
  /**
   * @param {string} text
   * @param {number} x
   * @param {number} y
   * @param {number} size
   * @param {string} colour
   */
  const write = (text, x, y, size, colour, bold = false) => lines.push({ text, x, y, size, colour, bold });
  /** @param {Font} font */
  const wideIn = (font) => (/** @type {string} */ text) => measure(text, font);

  const question = wrap(shown.question, wideIn({ size: 34, bold: true }), WIDTH - 2 * EDGE, QUESTION_LINES);
  const answers = bySide((side) =>
    wrap(shown.answers[side], wideIn({ size: 26, bold: false }), HALF - 56, ANSWER_LINES),
  );
  const top = 160 + question.length * 48;
  const tall = Math.max(3, answers.a.length, answers.b.length) * 40 + 120;

  write(shown.brand, EDGE, 52, 30, INK.brand, true);
  write(shown.stage, WIDTH - EDGE - measure(shown.stage, { size: 24, bold: false }), 56, 24, INK.soft);
  for (const [n, line] of question.entries()) write(line, EDGE, 130 + n * 48, 34, INK.ink, true);
  for (const [n, side] of SIDES.entries()) {
    const chosen = side === shown.chosen;
    const left = EDGE + n * (HALF + BETWEEN);
    cards.push({
      x: left,
      y: top,
      width: HALF,
      height: tall,
      edge: chosen ? INK[side] : INK.line,
      edgeWidth: chosen ? 5 : 2,
    });
    write(shown.names[side], left + 28, top + 28, 28, INK[side], true);
    for (const [row, line] of answers[side].entries()) write(line, left + 28, top + 88 + row * 40, 26, INK.ink);
  }
  if (shown.vote) write(shown.vote, EDGE, top + tall + 34, 24, INK.ink, true);
  const foot = top + tall + (shown.vote ? 84 : 36);
  write(shown.note, EDGE, foot, 22, INK.soft);
  write(shown.address, WIDTH - EDGE - measure(shown.address, { size: 22, bold: true }), foot, 22, INK.brand, true);
  return { width: WIDTH, height: foot + 22 + EDGE, cards, lines };
}
