// The organizers' console: asks our own routes for each tab's document and draws what has changed.
// Nothing is decided here.
import { el } from "../battle/dom.js";
import { keepLanguage, language, loadWords, t } from "../battle/words.js";
import { Feed } from "./feed.js";

await loadWords(`console.${language}.json`);

const DOCUMENTS = ["live", "trends", "groups", "operations", "integrity", "exports"];
/** Gradio writes a tab's name, and the script its word in the reader's language. @type {Record<string, string>} */
const TABS = {
  live: t("console_tab_live"),
  operations: t("console_tab_operations"),
  integrity: t("console_tab_integrity"),
  exports: t("console_tab_exports"),
};

/** @param {HTMLElement} bar */
function fill(bar) {
  const other = language === "ko" ? "en" : "ko";
  bar.append(
    el("p", { id: "console-as-of" }, ""),
    el(
      "a",
      { id: "console-language", class: "c-link", href: `?lang=${other}`, lang: other, hreflang: other },
      new Intl.DisplayNames(other, { type: "language" }).of(other) ?? other,
    ),
    el(
      "form",
      { method: "post", action: "/organizer/logout" },
      el("button", { class: "c-button", type: "submit" }, t("console_log_out")),
    ),
  );
  bar.parentElement?.append(el("p", { id: "console-message", role: "status", "aria-live": "polite" }));
}

function begin() {
  const bar = document.getElementById("console-bar");
  if (!bar) return;
  if (!bar.childElementCount) fill(bar);
  // Every one twice: Gradio measures hidden ones to see how many fit.
  for (const button of document.querySelectorAll("#console-tabs .tab-container button")) {
    const label = TABS[(button.textContent ?? "").trim()];
    if (label) button.textContent = label;
  }
  for (const name of DOCUMENTS) {
    const box = document.getElementById(`console-${name}`);
    if (box && !box.childElementCount) new Feed(name, box);
  }
}

keepLanguage();
new MutationObserver(begin).observe(document.documentElement, { childList: true, subtree: true });
begin();
