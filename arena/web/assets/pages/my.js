// Withdrawing: asked twice, because it cannot be undone.
import { buttonById, byId } from "../battle/dom.js";

const ask = buttonById("withdraw");
const sure = byId("withdraw-sure");
const said = byId("withdraw-said");

/** @param {boolean} open */
function asking(open) {
  ask.hidden = open;
  sure.hidden = !open;
  (open ? byId("withdraw-no") : ask).focus();
}

ask.addEventListener("click", () => asking(true));
byId("withdraw-no").addEventListener("click", () => asking(false));
byId("withdraw-yes").addEventListener("click", async () => {
  const response = await fetch("/api/v1/session", { method: "DELETE" }).catch(() => null);
  said.textContent = (response?.ok ? said.dataset.done : said.dataset.failed) ?? "";
  if (!response?.ok) return;
  sure.hidden = true;
  byId("my-battles").remove();
});
