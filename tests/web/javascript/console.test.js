// The console's tables and figures, before anything is drawn.
import assert from "node:assert/strict";
import test from "node:test";
import "./page.js";

const { classOf, numeric, written } = await import("../../../arena/web/assets/console/parts.js");
const { coloured, themed } = await import("../../../arena/web/assets/console/theme.js");

const LOOK = { family: "Arena Sans", ink: "#111", line: "#ccc", paper: "#fff", dark: false };

test("a number is written for its reader, a word as it is, and nothing as a dash", () => {
  assert.deepEqual([1234.56789, 0, "가람팀", "", null].map(written), ["1,234.568", "0", "가람팀", "", "–"]);
});

test("a column is numeric when it holds numbers and nothing, only", () => {
  const rows = [
    ["가람팀", 1, null, 2],
    ["나래팀", 2, null, "–"],
  ];
  assert.deepEqual(numeric({ columns: ["a", "b", "c", "d"], rows }), [false, true, true, false]);
});

test("long words may break, short ones and numbers may not", () => {
  assert.equal(classOf(1, true), "c-number");
  assert.equal(classOf(null, true), "c-number");
  assert.equal(classOf("가람팀", false), "c-short");
  assert.equal(classOf("가".repeat(23), false), "c-long");
  assert.equal(classOf(3, false), "c-long");
  assert.equal(classOf(null, false), null);
});

test("a figure takes the page's colours, and its axes keep their own", () => {
  const layout = { title: "순위", xaxis: { title: "점수" }, yaxis2: { gridcolor: "#f00" } };
  const own = structuredClone(layout);
  const made = themed(layout, LOOK);
  assert.deepEqual(made.xaxis, { gridcolor: "#ccc", linecolor: "#ccc", tickcolor: "#ccc", title: "점수" });
  assert.equal(made.yaxis2.gridcolor, "#f00");
  assert.deepEqual([made.title, made.font.color, made.hoverlabel.bgcolor], ["순위", "#111", "#fff"]);
  assert.deepEqual(layout, own);
});

test("the deep blue is lighter on a dark page, in a copy", () => {
  const data = [{ marker: { color: "#0072B2" }, name: "#D55E00" }];
  const own = structuredClone(data);
  assert.deepEqual(coloured(data, LOOK), own);
  assert.deepEqual(coloured(data, { ...LOOK, dark: true }), [{ marker: { color: "#4FA3E0" }, name: "#D55E00" }]);
  assert.notEqual(coloured(data, LOOK), data);
  assert.deepEqual(data, own);
});
