// The first visit: what this is, what happens to what is typed, and what is agreed to. Nothing is ticked beforehand.
import { aboutYou, STRATA_CONSENT } from "./about.js";
import { post } from "./api.js";
import { el } from "./dom.js";
import { prove } from "./proof.js";
import { state } from "./state.js";
import { pick, t } from "./words.js";

function consentRow(id, required, text) {
  const input = el("input", { type: "checkbox", id: `consent-${id}`, "aria-required": String(required) });
  const [, title, rest] = text.match(/^([^:]{1,40}): (.*)$/s) ?? [null, null, text];
  const row = el(
    "label",
    { class: "arena-consent", for: `consent-${id}` },
    input,
    el(
      "span",
      {},
      el("b", { class: required ? "arena-required" : "arena-optional" }, t(required ? "required" : "optional")),
      " ",
      title ? el("strong", {}, title) : null,
      title ? el("br") : null,
      rest[0].toUpperCase() + rest.slice(1),
    ),
  );
  return { id, required, input, row, title: title ?? t("must_age") };
}

async function agreeTo(consents, said) {
  const asked = { consents, age_ok: true };
  try {
    await post("/session", asked);
  } catch (refused) {
    if (refused.code !== "proof_needed") throw refused;
    said.textContent = t("proving");
    await post("/session", { ...asked, proof: await prove() });
  }
}

/**
 * Opens the dialog; resolves when the session is there.
 * @returns {Promise<void>}
 */
export function welcome({ lead = null } = {}) {
  if (document.querySelector("dialog.arena-dialog")) return Promise.resolve();
  return new Promise((resolve) => {
    const { stage } = state;
    const rows = stage.consents.map((consent) => consentRow(consent.id, consent.required, pick(consent.text)));
    const age = consentRow("age", true, t("age", { age: stage.min_age }));
    const error = el("p", { role: "alert", class: "arena-alert", id: "arena-welcome-error" });
    const button = el("button", { type: "submit", class: "arena-primary", id: "arena-agree" }, t("agree"));
    const submit = async (event) => {
      event.preventDefault();
      const missing = [...rows, age].filter(({ required, input }) => required && !input.checked);
      for (const { input } of [...rows, age]) input.removeAttribute("aria-invalid");
      if (missing.length) {
        error.textContent = t("must", { missing: missing.map(({ title }) => title).join(", ") });
        for (const { input } of missing) input.setAttribute("aria-invalid", "true");
        missing[0].input.focus();
        return;
      }
      button.disabled = true;
      error.textContent = "";
      try {
        const given = rows.filter(({ input }) => input.checked).map(({ id }) => id);
        await agreeTo(given, error);
        if (given.includes(STRATA_CONSENT)) await aboutYou(dialog);
        dialog.close();
        dialog.remove();
        resolve();
      } catch (refused) {
        error.textContent = refused.message;
        if (refused.code === "login_needed")
          error.append(" ", el("a", { class: "arena-button", href: "/login" }, t("login")));
      } finally {
        button.disabled = false;
      }
    };
    const dialog = el(
      "dialog",
      { class: "arena-dialog", "aria-labelledby": "arena-welcome" },
      el(
        "form",
        { novalidate: true, on: { submit } },
        el("h2", { id: "arena-welcome", tabindex: "-1" }, t("welcome")),
        lead ? el("p", { class: "arena-warning" }, lead) : null,
        el("p", {}, t("welcome_lead")),
        el(
          "p",
          { class: "arena-notice" },
          pick(stage.notices.ai),
          " ",
          t("welcome_personal"),
          " ",
          el("a", { href: "/privacy", target: "_blank", rel: "noopener" }, t("welcome_more")),
        ),
        el(
          "fieldset",
          { class: "arena-consents" },
          el("legend", {}, t("consents")),
          ...rows.map(({ row }) => row),
          age.row,
        ),
        el("div", { class: "arena-agree" }, error, button),
      ),
    );
    // Escape would leave a page on which nothing can be done.
    dialog.addEventListener("cancel", (event) => event.preventDefault());
    document.body.append(dialog);
    dialog.showModal();
    dialog.querySelector("h2").focus();
  });
}
