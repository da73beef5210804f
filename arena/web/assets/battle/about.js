// Questions about the citizen, for weighting: only after their consent, every one optional.
import { call, json } from "./api.js";
import { el } from "./dom.js";
import { pick, t } from "./words.js";

export const STRATA_CONSENT = "strata";

function question({ id, title, categories }, held) {
  const choices = [
    el("option", { value: "" }, t("about_none")),
    ...categories.map((each) => el("option", { value: each.id, selected: held[id] === each.id }, pick(each.title))),
  ];
  return el(
    "p",
    { class: "arena-about" },
    el("label", { for: `about-${id}` }, pick(title)),
    el("select", { id: `about-${id}`, name: id }, ...choices),
  );
}

/** Asks inside the open dialog; resolves when it is answered or skipped. */
export async function aboutYou(dialog) {
  const { strata, answers } = await json(call("/about-you"));
  if (!strata.length) return;
  /** @type {Promise<void>} */
  const answered = new Promise((resolve) => {
    const error = el("p", { role: "alert", class: "arena-alert" });
    const form = el(
      "form",
      {
        on: {
          submit: async (event) => {
            event.preventDefault();
            const given = Object.fromEntries([...new FormData(form)].filter(([, value]) => value));
            try {
              await call("/about-you", { method: "PUT", body: JSON.stringify({ answers: given }) });
              resolve();
            } catch (refused) {
              error.textContent = refused.message;
            }
          },
        },
      },
      el("h2", { id: "arena-welcome", tabindex: "-1" }, t("about_title")),
      el("p", {}, t("about_lead")),
      ...strata.map((each) => question(each, answers)),
      el(
        "div",
        { class: "arena-agree" },
        error,
        el("button", { type: "submit", class: "arena-primary", id: "arena-about-save" }, t("about_save")),
        el(
          "p",
          { class: "arena-actions" },
          el("button", { type: "button", class: "arena-button", on: { click: resolve } }, t("about_skip")),
        ),
      ),
    );
    dialog.replaceChildren(form);
    form.querySelector("h2").focus();
  });
  await answered;
}
