// A picture of a finished battle: question, the beginning of both answers, the AI label. Nothing about whoever voted.
/** @import { Seen, Winner } from "../../../answers.d.ts" */
/** @import { Font } from "./layout.js" */

import { bySide, SIDES, stage } from "../state.js";
import { pick, t } from "../words.js";
import { INK, layout } from "./layout.js";

/** @param {string} html */
const plain = (html) => new DOMParser().parseFromString(html, "text/html").body.textContent.trim();

/** @param {Font} font */
const fontOf = ({ size, bold }) => `${bold ? 700 : 400} ${size}px ${getComputedStyle(document.body).fontFamily}`;

/**
 * What the picture shows of a battle.
 * @param {Seen} battle the owner's view
 * @param {Winner | null} winner
 * @param {(html: string) => string} text what is read of an answer
 * @param {string} address where others can take part
 */
export function shownOf({ turns, reveal }, winner, text, address) {
  const { title, synthetic } = stage();
  const { prompt, answers } = turns[turns.length - 1];
  return {
    brand: t("brand"),
    stage: pick(title) + (synthetic ? ` · ${t("synthetic_label")}` : ""),
    question: prompt,
    names: bySide((side) => (reveal ? `${side.toUpperCase()} · ${pick(reveal[side].team)}` : t(`answer_${side}`))),
    answers: bySide((side) => text(answers[side]?.html ?? "")),
    vote: winner && `${t("your_vote")}: ${t(winner)}`,
    chosen: SIDES.find((side) => winner === `model_${side}`) ?? null,
    note: t("ai_note"),
    address,
  };
}

/**
 * A PNG of this battle.
 * @param {Seen} battle the owner's view
 * @param {Winner | null} winner
 * @returns {Promise<Blob>}
 */
export async function pictureOf(battle, winner) {
  await document.fonts.ready;
  const canvas = document.createElement("canvas");
  const brush = canvas.getContext("2d");
  if (!brush) throw new Error("this browser draws no pictures");
  const { width, height, cards, lines } = layout(shownOf(battle, winner, plain, location.host), (text, font) => {
    brush.font = fontOf(font);
    return brush.measureText(text).width;
  });
  canvas.width = width;
  canvas.height = height;
  brush.fillStyle = INK.paper;
  brush.fillRect(0, 0, width, height);
  for (const card of cards) {
    brush.fillStyle = INK.card;
    brush.strokeStyle = card.edge;
    brush.lineWidth = card.edgeWidth;
    brush.beginPath();
    brush.roundRect(card.x, card.y, card.width, card.height, 22);
    brush.fill();
    brush.stroke();
  }
  brush.textBaseline = "top";
  for (const line of lines) {
    brush.font = fontOf(line);
    brush.fillStyle = line.colour;
    brush.fillText(line.text, line.x, line.y);
  }
  return new Promise((resolve, reject) =>
    canvas.toBlob((blob) => (blob ? resolve(blob) : reject(new Error("no picture was made"))), "image/png"),
  );
}
