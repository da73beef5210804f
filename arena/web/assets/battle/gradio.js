// Gradio draws the four choices. Its script is asked for when the question box works already: a vote is due later.
import { byId, el, sure } from "./dom.js";
import { WINNERS } from "./state.js";

/** @returns {Promise<void>} */
const drawn = () =>
  new Promise((resolve) => {
    const ready = () => WINNERS.every((winner) => document.getElementById(`arena-vote-${winner}`));
    const watcher = new MutationObserver(() => {
      if (!ready()) return;
      watcher.disconnect();
      resolve();
    });
    if (ready()) resolve();
    else watcher.observe(byId("arena-ballot"), { childList: true, subtree: true });
  });

/** Resolves when the choices are there; rejects when Gradio's script cannot be had. */
export async function drawChoices() {
  const { script = "", style = "" } = byId("arena-ballot").dataset;
  // Before ours, so that ours decide.
  sure(document.querySelector("link[rel=stylesheet]"), HTMLLinkElement).before(
    el("link", { rel: "stylesheet", href: style }),
  );
  await import(String(new URL(script, document.baseURI)));
  await drawn();
  // The page has its own main part; Gradio's would be a second one inside it.
  const main = byId("arena-ballot").querySelector("main");
  const plain = el("div", { class: main?.className ?? "" });
  plain.append(...(main?.childNodes ?? []));
  main?.replaceWith(plain);
}
