// A picture of a finished battle: question, the beginning of both answers, the AI label. Nothing about whoever voted.
import { SIDES, state } from "./state.js";
import { pick, t } from "./words.js";

const WIDTH = 1200;
const EDGE = 64;
const LINES = 14;
const FONT = '"Arena Sans", "Noto Sans CJK KR", "Malgun Gothic", sans-serif';
const INK = {
  paper: "#f4f6fb",
  card: "#ffffff",
  ink: "#131c2b",
  soft: "#4b5a70",
  line: "#d5dce8",
  a: "#1d4ed8",
  b: "#0f766e",
  brand: "#12305f",
};

/** Lines no wider than `width`, broken between words, or inside one that is too long. */
function wrap(brush, text, width, most) {
  const lines = [];
  for (const paragraph of text.split("\n").filter((line) => line.trim())) {
    let line = "";
    for (const word of paragraph.match(/\S+\s*/g) ?? []) {
      if (brush.measureText(line + word).width <= width) {
        line += word;
        continue;
      }
      if (line) lines.push(line);
      line = "";
      for (const letter of word) {
        if (brush.measureText(line + letter).width > width) {
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

const plain = (html) => new DOMParser().parseFromString(html, "text/html").body.textContent.trim();

/** A PNG of this battle; `battle` is the owner's view. */
export async function pictureOf(battle, winner) {
  await document.fonts.ready;
  const canvas = document.createElement("canvas");
  const brush = canvas.getContext("2d");
  const font = (size, weight = 400) => (brush.font = `${weight} ${size}px ${FONT}`);
  const turn = battle.turns[battle.turns.length - 1];
  const half = (WIDTH - 2 * EDGE - 32) / 2;
  font(34, 700);
  const question = wrap(brush, turn.prompt, WIDTH - 2 * EDGE, 4);
  font(26);
  const texts = Object.fromEntries(
    SIDES.map((side) => [side, wrap(brush, plain(turn.answers[side].html), half - 56, LINES)]),
  );
  const tall = Math.max(3, texts.a.length, texts.b.length) * 40 + 120;
  canvas.width = WIDTH;
  canvas.height = 210 + question.length * 48 + tall + 150;
  brush.fillStyle = INK.paper;
  brush.fillRect(0, 0, WIDTH, canvas.height);
  brush.textBaseline = "top";
  const write = (text, x, y, colour) => {
    brush.fillStyle = colour;
    brush.fillText(text, x, y);
  };
  font(30, 700);
  write(t("brand"), EDGE, 52, INK.brand);
  font(24);
  const stage = pick(state.stage.title) + (state.stage.synthetic ? ` · ${t("synthetic_label")}` : "");
  write(stage, WIDTH - EDGE - brush.measureText(stage).width, 56, INK.soft);
  font(34, 700);
  for (const [n, line] of question.entries()) write(line, EDGE, 130 + n * 48, INK.ink);
  const top = 160 + question.length * 48;
  SIDES.forEach((side, n) => {
    const left = EDGE + n * (half + 32);
    brush.fillStyle = INK.card;
    brush.strokeStyle = winner === `model_${side}` ? INK[side] : INK.line;
    brush.lineWidth = winner === `model_${side}` ? 5 : 2;
    brush.beginPath();
    brush.roundRect(left, top, half, tall, 22);
    brush.fill();
    brush.stroke();
    font(28, 700);
    const name = battle.reveal ? `${side.toUpperCase()} · ${pick(battle.reveal[side].team)}` : t(`answer_${side}`);
    write(name, left + 28, top + 28, INK[side]);
    font(26);
    for (const [row, line] of texts[side].entries()) write(line, left + 28, top + 88 + row * 40, INK.ink);
  });
  font(24, 700);
  if (winner) write(`${t("your_vote")}: ${t(winner)}`, EDGE, top + tall + 34, INK.ink);
  font(22);
  write(t("ai_note"), EDGE, top + tall + 80, INK.soft);
  return new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
}
