// A page that stays open hears when the stage moves on: the line that tells its state is the server's, fetched again.
/** @import { Stage } from "../../answers.d.ts" */

const EVERY_MS = 60_000;
const ID = "arena-state";

async function look() {
  const shown = document.getElementById(ID);
  if (document.hidden || !shown) return;
  const answer = await fetch("/api/v1/stage").catch(() => null);
  if (!answer?.ok) return;
  /** @type {Stage} */
  const stage = await answer.json();
  if (stage.state === shown.dataset.state) return;
  const page = await fetch(location.pathname, { headers: { accept: "text/html" } }).catch(() => null);
  if (!page?.ok) return;
  const fresh = new DOMParser().parseFromString(await page.text(), "text/html").getElementById(ID);
  if (fresh) shown.replaceWith(fresh);
}

document.addEventListener("visibilitychange", look);
setInterval(look, EVERY_MS);
