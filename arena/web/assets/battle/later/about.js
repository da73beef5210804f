// Questions about the citizen, for weighting: only after their consent, every one optional.
/** @import { Stratum } from "../../../answers.d.ts" */
import { getAboutYou, refusal, tellAboutYou } from "../api.js";
import { el } from "../dom.js";
import { pick, t } from "../words.js";

/**
 * @param {Stratum} stratum
 * @param {Record<string, string>} held what was answered before
 */
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

/**
 * Asks inside the open dialog; resolves when it is answered or skipped.
 * @param {HTMLDialogElement} dialog
 */
export async function aboutYou(dialog) {
  const { strata, answers } = await getAboutYou();
  if (!strata.length) return;
  /** @type {Promise<void>} */
  const answered = new Promise((resolve) => {
    const error = el("p", { role: "alert", class: "arena-alert" });
    const title = el("h2", { id: "arena-welcome", tabindex: "-1" }, t("about_title"));
    const form = el(
      "form",
      {
        on: {
          submit: async (event) => {
            event.preventDefault();
            const given = [...new FormData(form)].filter(([, value]) => value);
            try {
              await tellAboutYou(Object.fromEntries(given.map(([name, value]) => [name, String(value)])));
              resolve();
            } catch (caught) {
              error.textContent = refusal(caught).message;
            }
          },
        },
      },
      title,
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
          el("button", { type: "button", class: "arena-button", on: { click: () => resolve() } }, t("about_skip")),
        ),
      ),
    );
    dialog.replaceChildren(form);
    title.focus();
  });
  await answered;
}
